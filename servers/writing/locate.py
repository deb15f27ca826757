"""Finds in a file the lines a reply quotes, whatever space they end with and however far they are indented as a whole.

What is found nowhere, or in several places, is a `Mismatch`, also where one of them is equal to the letter: who is
careless about space may mean another one. A guess is never made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from servers.writing.lines import Piece

BLANK = " \t\x0c"
SHOWN = 20
"""Lines of the file quoted in a mismatch."""


class Mismatch(Exception):
    """A reply cannot become the file's new text; the message goes back to the model."""


@dataclass(frozen=True)
class Shift:
    """How a reply's lines become the file's: `add` before each, or `remove` from each. Blank lines stay."""

    add: str = ""
    remove: str = ""

    def of(self, line: str) -> str:
        """The line as it is to stand in the file.

        Raises:
            Mismatch: it is indented less than what is to be removed.
        """
        if not line.strip(BLANK):
            return line
        if not line.startswith(self.remove):
            raise Mismatch(
                f"The quoted lines are indented {len(self.remove)} columns deeper than in the file, but the new line "
                f"{line!r} is not. Indent all lines as the file does."
            )
        return self.add + line[len(self.remove) :]


@dataclass(frozen=True)
class Found:
    """Where the quoted lines begin (0-based), how the reply's indentation differs, and whether all was equal."""

    at: int
    shift: Shift = Shift()
    exact: bool = True


def locate(lines: Sequence[str], quoted: Sequence[str], what: str) -> Found:
    """The one place of `quoted` in `lines`; `what` names the quotation in messages.

    Raises:
        Mismatch: it is not there, or in several places, or is blank.
    """
    if not any(line.strip(BLANK) for line in quoted):
        raise Mismatch(f"{what} quotes no line of the file that is not blank, so its place cannot be found.")
    trimmed, wanted = [line.rstrip(BLANK) for line in lines], [line.rstrip(BLANK) for line in quoted]
    fits = ((at, shift_of(trimmed[at : at + len(wanted)], wanted)) for at in range(len(lines) - len(quoted) + 1))
    found = [Found(at, shift, list(lines[at : at + len(quoted)]) == list(quoted)) for at, shift in fits if shift]
    if len(found) > 1:
        places = ", ".join(str(each.at + 1) for each in found[:10])
        raise Mismatch(
            f"{what} fits in {len(found)} places of the file (lines {places}; space at the beginning and end of lines "
            "does not count). Quote more of the lines around it, so that there is one place only."
        )
    if found:
        return found[0]
    raise Mismatch(
        f"{what} is not in the file. Expected were these lines:\n{quote(quoted[:SHOWN])}\n{nearest(lines, quoted)}"
    )


def shift_of(lines: Sequence[str], quoted: Sequence[str]) -> Shift | None:
    """The one shift that makes `lines` of `quoted` (both without trailing space); None when there is none."""
    shift: Shift | None = None
    for line, wanted in zip(lines, quoted, strict=True):
        if not line or not wanted:
            if line != wanted:
                return None
            continue
        bare, here, there = line.lstrip(BLANK), _indent(line), _indent(wanted)
        if bare != wanted.lstrip(BLANK):
            return None
        if here.endswith(there):
            now = Shift(add=here[: len(here) - len(there)])
        elif there.endswith(here):
            now = Shift(remove=there[: len(there) - len(here)])
        else:
            return None
        if shift is not None and now != shift:
            return None
        shift = now
    return shift


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(BLANK))]


def merged(found: Found, quoted: Sequence[str], new: Sequence[str]) -> tuple[Piece, ...]:
    """`new` in the place of `quoted`: lines that both have stay as the file has them.

    Raises:
        Mismatch: a new line cannot be shifted.
    """
    one = list(quoted) if found.exact else [line.rstrip(BLANK) for line in quoted]
    other = list(new) if found.exact else [line.rstrip(BLANK) for line in new]
    pieces: list[Piece] = []
    for tag, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        pieces += range(found.at + a, found.at + b) if tag == "equal" else [found.shift.of(line) for line in new[c:d]]
    return tuple(pieces)


def nearest(lines: Sequence[str], quoted: Sequence[str]) -> str:
    """The lines of the file most like the first quoted one that is not blank, and what follows, in words."""
    skipped, first = next(((at, line.strip()) for at, line in enumerate(quoted) if line.strip()), (0, ""))
    best, score = 0, 0.0
    matcher = SequenceMatcher(None, "", first, autojunk=False)
    for at, line in enumerate(lines):
        matcher.set_seq1(line.strip())
        if matcher.real_quick_ratio() > score and matcher.quick_ratio() > score and matcher.ratio() > score:
            best, score = at, matcher.ratio()
    if score < 0.5:
        return "Nothing in the file is like the first of them."
    start = max(0, best - skipped)
    end = min(len(lines), start + min(len(quoted) + 1, SHOWN))
    return f"The nearest lines of the file are {start + 1} to {end}:\n{quote(lines[start:end])}"


def quote(lines: Sequence[str]) -> str:
    """Lines for a message, each set off by a bar, which is not part of it."""
    return "\n".join(f"| {line[:300]}" for line in lines)
