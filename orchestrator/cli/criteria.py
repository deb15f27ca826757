"""Acceptance criteria, out of the notes in which people write them down: lists, lines, Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TextIO

from contracts.task import MAX_CRITERIA, MAX_CRITERION_CHARS, Criterion
from orchestrator.cli.texts import read
from orchestrator.cli.trouble import trouble

_BULLET = re.compile(r"(?:[-*+•‣▪◦·–—]|\d+\.|\(?(?:\d+|[a-z]|[ivx]+)\))(?:\s+|$)(?:\[[ xX]\]\s+)?", re.IGNORECASE)
_HEADING = re.compile(r"#{1,6}(?:\s|$)")
_RULE = re.compile(r"(?:={2,}|-{2,}|(?:[-*_]\s*){3,})$")
_FENCE = re.compile(r"`{3,}|~{3,}")
_TAB = 4


def criteria_in(file: TextIO | None) -> tuple[Criterion, ...]:
    """The criteria of a file.

    Raises:
        Trouble: there are none, or too many; one is too long; it has a table, which could mean anything.
    """
    if file is None:
        return ()
    text = read(file)
    if any(line.lstrip().startswith("|") for line in text.split("\n")):
        raise trouble(f"{file.name} holds a table.", "Write each criterion on a line of its own.", code=2)
    texts = criteria(text)
    if not texts and file.name == "<stdin>":
        way_out = "It can be read once: give the request or the criteria as a file."
        raise trouble("Standard input holds no acceptance criteria.", way_out, code=2)
    if not 0 < len(texts) <= MAX_CRITERIA:
        found = f"{file.name} holds {len(texts)} acceptance criteria."
        raise trouble(found, f"Write 1 to {MAX_CRITERIA}, each on a line.", code=2)
    for each in texts:
        if len(each) > MAX_CRITERION_CHARS:
            found = f"A criterion in {file.name} has {len(each):,} characters: {each[:60]}…"
            raise trouble(found, f"At most {MAX_CRITERION_CHARS:,} are taken. Say it in several.", code=2)
    return tuple(Criterion(id=f"c{number}", text=each) for number, each in enumerate(texts, 1))


def criteria(text: str) -> list[str]:
    """One a line, without its bullet, number or box; headings, rules and fences are left out.

    What is indented belongs to the criterion above it: a line that goes on, a list within it, code in a fence.
    """
    reader = _Reader()
    for line in text.expandtabs(_TAB).split("\n"):
        reader.take(line)
    return reader.found


@dataclass
class _Reader:
    """Reads line by line."""

    found: list[str] = field(default_factory=list[str])
    _open: bool = False
    """Whether the last one found can go on."""
    _column: int = 0
    """Where a list within it begins; 0: it is no item of a list itself."""
    _title: bool = False
    """Whether the line above is a title if this one underlines it."""
    _fence: str = ""
    _kept: bool = False
    """Whether what is in the fence belongs to the last one found."""

    def take(self, line: str) -> None:
        """The next line."""
        said, indent = line.strip(), len(line) - len(line.lstrip())
        title, self._title = self._title, False
        if self._fence:
            self._within_fence(said)
        elif fence := _FENCE.match(said):
            self._fence, self._kept = fence[0], self._open and indent > 0
        elif _RULE.match(said) or _HEADING.match(said):
            if title and _RULE.match(said):
                self.found.pop()
            self._open = False
        elif bullet := _BULLET.match(said):
            if self._open and self._column and indent >= self._column:
                self.found[-1] += f"\n- {said[bullet.end() :]}"
            else:
                self._begin(said[bullet.end() :], indent + bullet.end())
        elif said and indent and self._open:
            self.found[-1] += f" {said}"
        elif said:
            self._begin(said, 0)
            self._title = True

    def _begin(self, said: str, column: int) -> None:
        self.found += filter(None, [said])
        self._open, self._column = bool(said), column

    def _within_fence(self, said: str) -> None:
        if said.startswith(self._fence):
            self._fence = ""
        elif self._kept:
            self.found[-1] += f"\n{said}"
