"""Places in a text, and small changes to it that leave the rest as it is, byte for byte. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """What is between two offsets, in characters, becomes something else."""

    start: int
    end: int
    new: str = ""


def apply(text: str, edits: Iterable[Edit]) -> str:
    """`text` after `edits`, which may not overlap; those at the same offset come in the order they are given."""
    parts: list[str] = []
    done = 0
    for edit in sorted(edits, key=lambda each: each.start):
        assert edit.start >= done
        parts += [text[done : edit.start], edit.new]
        done = edit.end
    return "".join([*parts, text[done:]])


def newline_of(text: str) -> str:
    """How its first line ends; LF where there is none."""
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


def line_start(text: str, offset: int) -> int:
    """Where the line begins that `offset` is on."""
    return text.rfind("\n", 0, offset) + 1


def line_below(text: str, offset: int) -> int:
    """Where the next line begins; the end of the text if there is none."""
    end = text.find("\n", offset)
    return len(text) if end < 0 else end + 1


def indent_of(text: str, offset: int) -> str:
    """The blanks at the beginning of the line that `offset` is on."""
    line = text[line_start(text, offset) : offset]
    return line[: len(line) - len(line.lstrip(" \t"))]


def first_on_line(text: str, offset: int) -> bool:
    """Whether only blanks are before it on its line."""
    return not text[line_start(text, offset) : offset].strip(" \t")


def blanks_to_end(text: str, offset: int) -> int | None:
    """Where its line ends, if nothing but blanks follows on it."""
    end = len(text) - len(text[offset:].lstrip(" \t"))
    return end if end == len(text) or text.startswith(("\n", "\r\n"), end) else None
