"""A file as lines, each with its own end, and edits that keep what they do not touch to the byte."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from contracts import diff

Piece = int | str
"""A line of the result: an old line by its index, as it stands, or the content of a new one."""


@dataclass(frozen=True)
class Edit:
    """Lines `start` to `end` (0-based, `end` not included) become `pieces`."""

    start: int
    end: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Lines:
    """`contents[i] + ends[i]` is line i; an end is `\\n`, `\\r\\n` or, for a last line without one, empty."""

    contents: tuple[str, ...]
    ends: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Lines:
        """Lines end at `\\n`, as in `contracts.diff`; a `\\r` before it belongs to the end."""
        lines = diff.split(text)
        ends = tuple("\r\n" if line.endswith("\r\n") else "\n" if line.endswith("\n") else "" for line in lines)
        return cls(tuple(line.removesuffix(end) for line, end in zip(lines, ends, strict=True)), ends)

    @property
    def newline(self) -> str:
        """The end most lines have."""
        return "\r\n" if self.ends.count("\r\n") > self.ends.count("\n") else "\n"

    @property
    def unfinished(self) -> bool:
        """Whether the last line has no end."""
        return bool(self.ends) and not self.ends[-1]

    def edited(self, edits: Sequence[Edit]) -> str:
        """The text after `edits`, which are in order and do not overlap.

        New lines end as most others do; the file keeps having, or lacking, a line end at its end.
        """
        made: list[tuple[str, str]] = []
        at = 0
        for edit in edits:
            made += zip(self.contents[at : edit.start], self.ends[at : edit.start], strict=True)
            for piece in edit.pieces:
                old = (self.contents[piece], self.ends[piece]) if isinstance(piece, int) else (piece, self.newline)
                made.append(old)
            at = edit.end
        made += zip(self.contents[at:], self.ends[at:], strict=True)
        parts = [content + (end or self.newline) for content, end in made]
        if made and self.unfinished:
            parts[-1] = made[-1][0]
        return "".join(parts)


def said(text: str) -> list[str]:
    """The lines of a reply's text, without their ends; a missing last line end makes no difference."""
    lines = text.replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


MARKUP = (".md", ".markdown", ".rst", ".mdx")
_FENCED = re.compile(r"\s*(`{3,}|~{3,})[^\n`]*\n(.*?)[ \t]*\1\s*", re.DOTALL)


def unfenced(text: str, path: str) -> str:
    """`text` without a Markdown fence around all of it; in Markdown a fence is content."""
    if path.endswith(MARKUP):
        return text
    match = _FENCED.fullmatch(text.replace("\r\n", "\n"))
    return match[2] + "\n" * bool(match[2] and match[2][-1] != "\n") if match else text
