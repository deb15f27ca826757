"""Reads unified diffs: what they say, and the parser. `contracts.diff` is the door to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from contracts.diff_names import header_names, unquote

_HUNK = re.compile(r"@@ -([0-9]{1,9})(?:,([0-9]{1,9}))? \+([0-9]{1,9})(?:,([0-9]{1,9}))? @@(?: .*)?")
_INDEX = re.compile(r"index [0-9a-f]+\.\.[0-9a-f]+(?: ([0-7]{6}))?")
_MODE = re.compile(r"(old mode|new mode|new file mode|deleted file mode) ([0-7]{6})")
_MOVE = re.compile(r"(rename|copy) (from|to) (.+)")
_PERCENT = re.compile(r"(?:dis)?similarity index [0-9]{1,3}%")


class DiffError(ValueError):
    """A diff that cannot be read or does not fit its file; `line` is its 1-based line in the diff (0: none)."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"diff line {line}: {reason}" if line else reason)
        self.line = line
        self.reason = reason


@dataclass(frozen=True)
class Line:
    """One line of a hunk; `text` has its `\\n`, unless it is a file's last line and has none."""

    op: Literal[" ", "-", "+"]
    text: str


@dataclass(frozen=True)
class Hunk:
    """Lines that change together. `old_start` is 1-based; with no old lines, what is added goes after it."""

    old_start: int
    new_start: int
    lines: tuple[Line, ...]
    at: int = field(default=0, compare=False)
    """Line of its header in the diff."""

    @property
    def old(self) -> tuple[str, ...]:
        """What it expects to find."""
        return tuple(line.text for line in self.lines if line.op != "+")

    @property
    def new(self) -> tuple[str, ...]:
        """What it leaves."""
        return tuple(line.text for line in self.lines if line.op != "-")


@dataclass(frozen=True)
class FileDiff:
    """What a diff does to one file.

    `old_path` is None where the file is created; where it differs from `path`, the file is moved or copied.
    Modes are git's six octal digits, where the diff says them.
    """

    path: str
    old_path: str | None
    deleted: bool = False
    hunks: tuple[Hunk, ...] = ()
    old_mode: str | None = None
    new_mode: str | None = None
    binary: bool = False
    copied: bool = False
    at: int = field(default=0, compare=False)
    """Line it begins at in the diff."""

    @property
    def created(self) -> bool:
        """Whether the file is new."""
        return self.old_path is None

    @property
    def added(self) -> int:
        """Lines added."""
        return sum(line.op == "+" for hunk in self.hunks for line in hunk.lines)

    @property
    def removed(self) -> int:
        """Lines removed."""
        return sum(line.op == "-" for hunk in self.hunks for line in hunk.lines)


def parse(diff: str) -> tuple[FileDiff, ...]:
    """Read a git-style or plain unified diff; `parse("")` is empty.

    Raises:
        DiffError: it is not one, down to the line; text between files is not tolerated.
    """
    return tuple(_Parser(diff).files())


class _Parser:
    """A cursor over the diff's lines."""

    def __init__(self, diff: str) -> None:
        self.lines = diff.split("\n")
        if self.lines[-1] == "":
            self.lines.pop()
        self.at = 0

    def files(self) -> Iterator[FileDiff]:
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.startswith("diff --git "):
                yield self._git()
            elif line.startswith("--- "):
                yield self._plain()
            elif line.strip():
                raise self._error(f"`diff --git` or `---` is expected, found {line[:60]!r}", self.at + 1)
            else:
                self.at += 1

    def _git(self) -> FileDiff:
        start = self.at + 1
        header = self._take()[len("diff --git ") :]
        names = self._named(header)
        seen = FileDiff(path="", old_path="", at=start)
        created = False
        moved: dict[str, str] = {}
        while (line := self._peek()) is not None:
            if mode := _MODE.fullmatch(line):
                created = created or mode[1] == "new file mode"
                seen = replace(
                    seen,
                    old_mode=mode[2] if mode[1] in ("old mode", "deleted file mode") else seen.old_mode,
                    new_mode=mode[2] if mode[1] in ("new mode", "new file mode") else seen.new_mode,
                    deleted=seen.deleted or mode[1] == "deleted file mode",
                )
            elif index := _INDEX.fullmatch(line):
                if index[1]:
                    seen = replace(seen, old_mode=index[1], new_mode=index[1])
            elif move := _MOVE.fullmatch(line):
                moved[move[2]] = self._name(move[3])
                seen = replace(seen, copied=move[1] == "copy")
            elif line == "GIT binary patch" or (line.startswith("Binary files ") and line.endswith(" differ")):
                self._skip_binary()
                seen = replace(seen, binary=True)
                break
            elif not _PERCENT.fullmatch(line):
                break
            self.at += 1
        if created and seen.deleted:
            raise self._error("a file both created and deleted", start)
        if len(moved) == 1:
            raise self._error("`from` and `to` come together", start)
        old, new = (moved["from"], moved["to"]) if moved else names or ("", "")
        if names and moved and names != (old, new):
            raise self._error(f"the header names {names}, the lines below it {(old, new)}", start)
        hunks: tuple[Hunk, ...] = ()
        if not seen.binary and (self._peek() or "").startswith("--- "):
            said_old, said_new = self._heads()
            if created != (said_old is None) or seen.deleted != (said_new is None):
                raise self._error("`/dev/null` and the header disagree on whether the file exists", start)
            said = (said_old or said_new, said_new or said_old)
            if (names or moved) and said != (old, new):
                raise self._error(f"the header names {(old, new)}, the lines below it {said}", start)
            old, new = said_old or said_new or "", said_new or said_old or ""
            hunks = self._hunks()
        if not old or not new:
            raise self._error("the header does not say which file", start)
        if not names and header not in (f"a/{old} b/{new}", f"{old} {new}"):
            raise self._error(f"the header names {header!r}, the lines below it {(old, new)}", start)
        if old != new and not moved:
            raise self._error(f"two names, {old!r} and {new!r}, without `rename` or `copy`", start)
        return replace(seen, path=new, old_path=None if created else old, hunks=hunks)

    def _plain(self) -> FileDiff:
        start = self.at + 1
        old, new = self._heads()
        path = new or old
        if path is None or (old and new and old != new):
            raise self._error(f"one file is expected, found {old!r} and {new!r}", start)
        return FileDiff(path=path, old_path=old, deleted=new is None, hunks=self._hunks(), at=start)

    def _heads(self) -> tuple[str | None, str | None]:
        """Names of the `---` and `+++` lines without `a/` and `b/`; None for /dev/null."""
        old = self._head("--- ")
        new = self._head("+++ ")
        if (old is None or old.startswith("a/")) and (new is None or new.startswith("b/")):
            return old and old[2:], new and new[2:]
        return old, new

    def _head(self, mark: str) -> str | None:
        line = self._peek()
        if line is None or not line.startswith(mark):
            raise self._error(f"`{mark}` is expected, found {(line or 'the end')[:60]!r}", self.at + 1)
        text = line[len(mark) :]
        if not text.startswith('"'):
            text = text.partition("\t")[0]
        name = self._name(text.rstrip("\t"))
        self.at += 1
        return None if name == "/dev/null" else name

    def _hunks(self) -> tuple[Hunk, ...]:
        hunks = list[Hunk]()
        end = 0
        while (line := self._peek()) is not None and line.startswith("@@ "):
            hunk = self._hunk()
            first = hunk.old_start if hunk.old else hunk.old_start + 1
            if first <= end:
                raise self._error("hunks overlap or are out of order", hunk.at)
            end = first + len(hunk.old) - 1
            hunks.append(hunk)
        if not hunks:
            raise self._error("`@@ -line,count +line,count @@` is expected", self.at + 1)
        return tuple(hunks)

    def _hunk(self) -> Hunk:
        start = self.at + 1
        header = _HUNK.fullmatch(self._take())
        if not header:
            raise self._error("a hunk header that is none", start)
        old_left, new_left = int(header[2] or 1), int(header[4] or 1)
        lines = list[Line]()
        while old_left or new_left or (self._peek() or "").startswith("\\"):
            line = self._peek()
            if line is None:
                raise self._error(f"the diff ends; {old_left} old and {new_left} new lines are missing", self.at)
            self.at += 1
            op, text = line[:1], line[1:] + "\n"
            if op == "\\" and lines and lines[-1].text.endswith("\n"):
                lines[-1] = replace(lines[-1], text=lines[-1].text[:-1])
                continue
            # Editors strip the one space of an empty context line; git and patch read it all the same.
            known: Literal[" ", "-", "+"]
            if op in ("", " "):
                known, old_left, new_left = " ", old_left - 1, new_left - 1
            elif op == "-":
                known, old_left = "-", old_left - 1
            elif op == "+":
                known, new_left = "+", new_left - 1
            else:
                raise self._error(f"a line of a hunk begins with ` `, `-`, `+` or `\\`, found {line[:60]!r}")
            if old_left < 0 or new_left < 0:
                raise self._error("more lines than the hunk's header announces")
            lines.append(Line(known, text))
        hunk = Hunk(int(header[1]), int(header[3]), tuple(lines), at=start)
        if any(not text.endswith("\n") for side in (hunk.old, hunk.new) for text in side[:-1]):
            raise self._error("`\\ No newline at end of file` before the last line", start)
        if not any(line.op != " " for line in lines):
            raise self._error("a hunk that changes nothing", start)
        if hunk.old and not hunk.old_start:
            raise self._error("lines are counted from 1", start)
        return hunk

    def _skip_binary(self) -> None:
        """Leave the cursor behind what git wrote for a binary file."""
        while self.at < len(self.lines) and not self.lines[self.at].startswith("diff --git "):
            self.at += 1

    def _peek(self) -> str | None:
        return self.lines[self.at] if self.at < len(self.lines) else None

    def _take(self) -> str:
        self.at += 1
        return self.lines[self.at - 1]

    def _name(self, text: str) -> str:
        try:
            return unquote(text)
        except ValueError as error:
            raise self._error(str(error), self.at + 1) from error

    def _named(self, text: str) -> tuple[str, str] | None:
        """Names of the `diff --git` line just taken, without `a/` and `b/`."""
        try:
            names = header_names(text)
        except ValueError as error:
            raise self._error(str(error)) from error
        if names and names[0].startswith("a/") and names[1].startswith("b/"):
            return names[0][2:], names[1][2:]
        return names

    def _error(self, reason: str, line: int = 0) -> DiffError:
        return DiffError(line or self.at, reason)
