"""What a prompt shows of files, code and results: fenced, named, and cut where it would be too much."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from contracts.prompt import fenced, name
from contracts.task import Criterion
from contracts.test_runner import TestCase
from servers.outline import Definition, definitions
from servers.writing.forms import LONG
from servers.writing.prompts import part

NONE = "None."
READ_CHARS = 16_000
READS_CHARS = 60_000
EXCERPT_CHARS = 30_000
TICKET_CHARS = 16_000
DETAIL_CHARS = 3_000
TASTES = (
    "Take the way you think best.",
    "Prefer another approach than the first that comes to mind.",
    "Prefer the smallest change that is right.",
    "Prefer the clearest code, even if more lines change.",
    "Question the obvious cause or place, and look for another one.",
)


def version(number: int, total: int) -> str:
    """What makes one of several questions about the same differ from the others; empty where there is one only."""
    taste = TASTES[(number - 1) % len(TASTES)]
    return part("version").fill(number=str(number), total=str(total), taste=taste) if total > 1 else ""


def count(number: int, what: str) -> str:
    """`1 version`, `2 versions`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def cut(text: str, limit: int) -> str:
    """`text`, or its beginning and end with a note between them."""
    if len(text) <= limit:
        return text
    head, tail = text[: 2 * limit // 3], text[-(limit // 3) :]
    return f"{head}\n[… {len(text) - len(head) - len(tail)} characters are not shown …]\n{tail}"


def ticket(request: str) -> str:
    """What is wrong or wanted, in the words of who asked."""
    return fenced(cut(request, TICKET_CHARS), "text") if request else NONE


def criteria(shown: Iterable[Criterion]) -> str:
    """Acceptance criteria with their ids."""
    return bullets(f"{each.id}: {each.text}" for each in shown)


def bullets(texts: Iterable[str]) -> str:
    """Things people or tests said, each in a fence of its own."""
    return "\n\n".join(fenced(cut(text, DETAIL_CHARS), "text") for text in texts) or NONE


def file(text: str | None, words: str = "", lines: Iterable[int] = ()) -> str:
    """A file; of a long one the outline, and in full what `words` name and what stands at `lines`."""
    if text is None:
        return "There is no such file; it is to be created."
    if not text:
        return "It is empty."
    found = definitions(text) if len(text) > LONG else None
    if found is None:
        return fenced(cut(text, LONG))
    return _excerpt(text, found, words, tuple(lines))


def _excerpt(text: str, found: Sequence[Definition], words: str, lines: Sequence[int]) -> str:
    outline = "\n".join(f"{each.line}-{each.end_line}: {each.kind} {each.name}" for each in found)
    split = text.split("\n")
    parts = [f"It is long. All its definitions, by lines:\n\n{fenced(cut(outline, EXCERPT_CHARS))}"]
    parts.append(f"It begins:\n\n{fenced(cut(chr(10).join(split[: found[0].line - 1 if found else 50]), 4000))}")
    left = EXCERPT_CHARS
    for each in chosen(found, words, lines):
        body = definition(split, each)
        if len(body) <= left:
            left -= len(body)
            parts.append(f"{name(each.name)}:\n\n{fenced(body)}")
    return "\n\n".join(parts)


def chosen(found: Sequence[Definition], words: str, lines: Sequence[int]) -> list[Definition]:
    """The functions at `lines`, in their order, then those `words` name."""
    functions = [each for each in found if each.kind != "class"]
    picked = [
        min(around, key=lambda each: each.end_line - each.line)
        for line in lines
        if (around := [each for each in functions if each.line <= line <= each.end_line])
    ]
    known = set(re.findall(r"\w+", words))
    picked += [each for each in functions if each.name.rsplit(".", 1)[-1] in known]
    return list(dict.fromkeys(picked))


def definition(lines: Sequence[str], each: Definition) -> str:
    """The text of a definition, with the decorators right above it."""
    start = each.line - 1
    while start and lines[start - 1].lstrip().startswith("@"):
        start -= 1
    return "\n".join(lines[start : each.end_line])


def code(shown: Iterable[tuple[str, str]]) -> str:
    """Several files or definitions by name, as far as they fit."""
    parts, left = list[str](), READS_CHARS
    for called, text in shown:
        if left > 0:
            parts.append(f"{name(called)}\n\n{fenced(cut(text, min(READ_CHARS, left)))}")
            left -= len(text)
    return "\n\n".join(parts) or NONE


def cases(shown: Iterable[TestCase]) -> str:
    """Tests with their outcome and what they report."""
    parts = [
        f"{name(each.id)}: {each.outcome}\n\n{fenced(cut(each.detail or each.message or 'no report', DETAIL_CHARS))}"
        for each in list(shown)[:8]
    ]
    return "\n\n".join(parts) or NONE
