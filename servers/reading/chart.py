"""The map of a repository as text within a size: pure, so that the same tree gives the same map."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from servers.reading.pages import Page
from servers.reading.python import Declared, plain
from servers.reading.words import bag

CHARS_PER_TOKEN = 4
ALSO = "Also there:"
LEAST = 400
"""Characters that a file's definitions may always take, as far as there is room."""


@dataclass(frozen=True)
class Chart:
    """The text, and the paths it shows in its order."""

    text: str
    paths: tuple[str, ...]


def chart(pages: Sequence[Page], weight: Mapping[str, float], tokens: int, note: str = "") -> Chart:
    """A map of `pages`, which come most relevant first: definitions as far as they fit, then bare paths.

    A quarter of the room at most is kept for the bare paths. One file gets at most a quarter of what is left for
    definitions, but for `LEAST`; those that have the words (`weight`: word to rarity) are chosen first, and all
    stand in line order. The text is never over `tokens`, at `CHARS_PER_TOKEN` characters each; `note` ends it, for
    up to 100 characters.
    """
    room = tokens * CHARS_PER_TOKEN - len(_rest(len(pages), len(pages), note))
    kept = min(room // 4, len(ALSO) + 1 + sum(len(_line(page)) + 1 for page in pages))
    lines, shown, bare = list[str](), list[str](), list[Page]()
    left = room - kept
    for page in pages:
        block = _block(page, weight, left, min(left, max(left // 4, LEAST)))
        if block:
            left -= _size(block)
            lines += block
            shown.append(page.path)
        else:
            bare.append(page)
    left += kept
    if bare and left > len(ALSO) + 1:
        listed = _fitting(bare, left - len(ALSO) - 1)
        if listed:
            lines += [ALSO, *(_line(page) for page in listed)]
            shown += [page.path for page in listed]
    return Chart("\n".join([*lines, _rest(len(pages) - len(shown), len(pages), note)]), tuple(shown))


def _block(page: Page, weight: Mapping[str, float], left: int, share: int) -> list[str]:
    """A file's line and its definitions' lines in at most `left` characters; nothing when not even that fits."""
    doc = f"  {plain(page.module.doc, 100)}" if page.module and page.module.doc else ""
    head = f"{_line(page)} ({page.bytes} bytes){doc}"
    rows = [each for each in page.module.declared if not each.local] if page.module else []
    if len(head) + len(_more(len(rows))) + 2 > left:
        return []
    spare = max(share, len(head) + 1) - len(head) - len(_more(len(rows))) - 2
    chosen = set[int]()
    for number in sorted(range(len(rows)), key=lambda number: (-_score(rows[number], weight), number)):
        size = len(_row(rows[number])) + 1
        if size <= spare:
            spare -= size
            chosen.add(number)
    text = [head, *(_row(each) for number, each in enumerate(rows) if number in chosen)]
    return [*text, _more(len(rows) - len(chosen))] if len(chosen) < len(rows) else text


def _score(each: Declared, weight: Mapping[str, float]) -> float:
    words = bag(f"{each.signature} {each.doc}")
    return math.fsum(rare for word, rare in weight.items() if word in words)


def _row(each: Declared) -> str:
    return f"{each.definition.line:5} {each.signature}"


def _more(count: int) -> str:
    return f"      … {count} more"


def _line(page: Page) -> str:
    """The path; one with line ends or other signs that could be taken for something else as a JSON string."""
    return page.path if page.path.isprintable() else json.dumps(page.path)


def _fitting(pages: Sequence[Page], room: int) -> list[Page]:
    found = list[Page]()
    for page in pages:
        size = len(_line(page)) + 1
        if size <= room:
            room -= size
            found.append(page)
    return found


def _size(lines: Sequence[str]) -> int:
    return sum(len(line) + 1 for line in lines)


def _rest(missing: int, total: int, note: str) -> str:
    said = f"{missing} of {total} files are not shown." if missing else f"All {total} files are shown."
    return f"{said} {note}".rstrip()
