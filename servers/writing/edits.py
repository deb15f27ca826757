"""Search and replace blocks, unified diffs and whole files, turned into a file's new text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import pairwise

from servers.writing.lines import MARKUP, Edit, Lines, Piece, said, unfenced
from servers.writing.locate import Mismatch, locate, merged, quote

PYTHON = (".py", ".pyi")


@dataclass(frozen=True)
class Pair:
    """Lines to look for, and what is to stand in their place."""

    search: str
    replace: str


def by_blocks(old: str, pairs: Sequence[Pair], path: str) -> str:
    """The text after all replacements; each search is made in the text as it was.

    Raises:
        Mismatch: a search is not found once, two overlap, or there is none.
    """
    if not pairs:
        raise Mismatch("There is no block. At least one search and replace block is needed.")
    lines, edits = Lines.of(old), list[Edit]()
    for number, pair in enumerate(pairs, 1):
        search, replace = _bare(lines.contents, pair, path)
        found = locate(lines.contents, search, f"The search of block {number}")
        edits.append(Edit(found.at, found.at + len(search), merged(found, search, replace)))
    return lines.edited(_in_order(edits, "Blocks"))


def _bare(lines: Sequence[str], pair: Pair, path: str) -> tuple[list[str], list[str]]:
    """A block's lines without the reply's own fences; a fence the file has is content.

    Raises:
        Mismatch: only what is to be put in is fenced, so that it cannot be told what the fence is.
    """
    stripped = {line.strip() for line in lines}
    content = all(line.strip() in stripped for line in said(pair.search))
    search, replace = (unfenced(text, path) for text in (pair.search, pair.replace))
    if content and pair.search != search:
        return said(pair.search), said(pair.replace)
    if pair.search == search and pair.replace != replace:
        raise Mismatch(
            "The replacement is in a code fence, the search is not. Leave out a fence that is none of the file."
        )
    return said(search), said(replace)


def _in_order(edits: Sequence[Edit], what: str) -> list[Edit]:
    ordered = sorted(edits, key=lambda edit: (edit.start, edit.end))
    for one, other in pairwise(ordered):
        if other.start < one.end:
            raise Mismatch(f"{what} overlap at line {other.start + 1} of the file. Make one of them.")
    return ordered


@dataclass
class _Hunk:
    lines: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """(op, text)"""

    @property
    def quoted(self) -> list[str]:
        return [text for op, text in self.lines if op != "+"]


_HEADERS = ("diff --git ", "index ", "new file mode ", "old mode ", "new mode ", "similarity index ")


def by_diff(old: str, text: str, path: str) -> str:
    """The text after a unified diff. Line numbers and counts of its hunks are not believed: content finds the place.

    Raises:
        Mismatch: a hunk is not found once, hunks overlap, it names another file, or it is no diff.
    """
    hunks = _hunks(said(unfenced(text, "")), path)
    lines, edits = Lines.of(old), list[Edit]()
    for number, hunk in enumerate(hunks, 1):
        what = f"What hunk {number} expects"
        if not hunk.quoted and not lines.contents:
            edits.append(Edit(0, 0, tuple(added for _, added in hunk.lines)))
            continue
        found = locate(lines.contents, hunk.quoted, what)
        pieces, at = list[Piece](), found.at
        for op, content in hunk.lines:
            if op == "+":
                pieces.append(found.shift.of(content))
            else:
                pieces += [at] if op == " " else []
                at += 1
        edits.append(Edit(found.at, at, tuple(pieces)))
    return lines.edited(_in_order(edits, "Hunks"))


def _hunks(lines: Sequence[str], path: str) -> list[_Hunk]:
    hunks, inside, at = list[_Hunk](), False, 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("--- ") and at + 1 < len(lines) and lines[at + 1].startswith("+++ "):
            _same_file(line, path)
            _same_file(lines[at + 1], path)
            inside, at = False, at + 1
        elif line.startswith("@@"):
            hunks.append(_Hunk())
            inside = True
        elif line.startswith(_HEADERS) or (not inside and not line.strip()):
            inside = False
        elif not line.startswith("\\"):
            if not inside:
                hunks.append(_Hunk())
                inside = True
            if line and line[0] not in " +-":
                raise Mismatch(f"A line of a hunk begins with a space, + or -, found:\n{quote([line])}")
            hunks[-1].lines.append((line[:1] or " ", line[1:]))
        at += 1
    for hunk in hunks:
        # Blank lines between hunks are no context; what has lost them is looked for without.
        while hunk.lines and hunk.lines[-1] == (" ", ""):
            hunk.lines.pop()
    found = [hunk for hunk in hunks if any(op != " " for op, _ in hunk.lines)]
    if not found:
        raise Mismatch("A unified diff with at least one line added or removed is expected, found none.")
    return found


def _same_file(header: str, path: str) -> None:
    name = header[4:].split("\t")[0].strip().strip('"')
    bare = re.sub(r"^(?:[ab]|\.)/", "", name)
    if header.startswith("+++") and name == "/dev/null":
        raise Mismatch(f"The diff deletes the file. Only its content may change: {path}")
    if name != "/dev/null" and path not in (name, bare):
        raise Mismatch(f"The diff names {name!r}. Only {path} may be changed.")


def by_whole(old: str | None, text: str, path: str) -> str:
    """A file's whole new text, with the line ends and the end of file it had.

    Raises:
        Mismatch: there is no text, or there is a code fence in it with other text around, in a file without fences.
    """
    new = said(unfenced(text, path))
    # A Python file begins with no fence, so one around it is the reply's own.
    if new != said(text) and not path.endswith(PYTHON) and re.search(r"(?m)^\s*(```|~~~)", old or ""):
        raise Mismatch("The file has code fences itself. Give its text without another one around it.")
    if not any(line.strip() for line in new) and (old or "").strip():
        raise Mismatch("The whole new text of the file is expected, found nothing.")
    # In Python such a text is invalid anyhow, in Markdown it is usual.
    if not path.endswith((*PYTHON, *MARKUP)) and _fences(new) in (1, 2) and not _fences(said(old or "")):
        raise Mismatch("The file's text alone is expected, found a code fence with other text around it.")
    lines = Lines.of(old or "")
    if len(set(lines.ends) - {""}) < 2:
        return lines.edited([Edit(0, len(lines.contents), tuple(new))])
    pieces: list[Piece] = []
    for tag, a, b, c, d in SequenceMatcher(None, lines.contents, new, autojunk=False).get_opcodes():
        pieces += range(a, b) if tag == "equal" else new[c:d]
    return lines.edited([Edit(0, len(lines.contents), tuple(pieces))])


def _fences(lines: Sequence[str]) -> int:
    return sum(line.startswith(("```", "~~~")) for line in lines)
