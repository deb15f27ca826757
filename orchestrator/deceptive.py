"""Characters that make a text read as something else than it is ("Trojan Source", CVE-2021-42574 and -42694). Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache

from contracts import diff as diffs

SHOWN = 5
"""Places that are named; of the others, how many."""

_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
"""Letters and marks that show nothing."""
_SELECTORS = frozenset(map(chr, (*range(0xFE00, 0xFE0F), *range(0xE0100, 0xE01F0))))
"""Variation selectors but the one that emoji take: they show nothing, and can spell out anything."""
_WORD = re.compile(r"\w+")
_ALIKE = frozenset("аеорсухіјѕһԁԛԝвнкмтοαρυνικ")
"""Letters of other scripts that most fonts draw like Latin ones."""


def is_invisible(char: str) -> bool:
    """Whether a character controls how others show, or does not show itself; ends of lines and tabs do neither."""
    category = unicodedata.category(char)
    if category in ("Cc", "Cf", "Zl", "Zp"):
        return char not in "\t\n\r\f"
    return char in _FILLERS or char in _SELECTORS


def invisible(changes: Sequence[diffs.FileDiff]) -> list[str]:
    """Where a diff adds such characters: `path has U+202E`."""
    found = [
        f"{path} has U+{ord(char):04X}"
        for path, text in _added(changes).items()
        for char in sorted(set(text))
        if is_invisible(char)
    ]
    return _shortened(found)


def lookalikes(changes: Sequence[diffs.FileDiff]) -> list[str]:
    """Words that a diff adds, or has in a name, with letters that look like others: `path has 'sсore'`."""
    added = _added(changes)
    names = (path for path in added if any(_misleads(word) or _only_alike(word) for word in _words(path)))
    words = (f"{path} has {word!a}" for path, text in added.items() for word in _words(text) if _misleads(word))
    return _shortened(list(dict.fromkeys([*(f"the name {path!a}" for path in names), *words])))


def _added(changes: Sequence[diffs.FileDiff]) -> dict[str, str]:
    """What a diff adds, by file."""
    return {
        each.path: "".join(line.text for hunk in each.hunks for line in hunk.lines if line.op == "+")
        for each in changes
    }


def _words(text: str) -> list[str]:
    return [] if text.isascii() else [word for word in _WORD.findall(text.replace("_", " ")) if not word.isascii()]


def _misleads(word: str) -> bool:
    """Whether a word has Latin letters among those of another script that has some like them, or in disguise."""
    scripts = {_script(char) for char in word if char.isalpha()}
    return "DISGUISE" in scripts or (
        "LATIN" in scripts and bool(scripts & {"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"})
    )


def _only_alike(word: str) -> bool:
    return all(char in _ALIKE or char.isascii() for char in word.lower())


@cache
def _script(char: str) -> str:
    """The script by the character's name; DISGUISE for what programs read as a plain Latin letter (NFKC)."""
    plain = unicodedata.normalize("NFKC", char)
    if not char.isascii() and plain.isascii() and plain.isalpha() and unicodedata.category(char) != "Lo":
        return "DISGUISE"
    return unicodedata.name(char, "").split(" ")[0]


def _shortened(found: list[str]) -> list[str]:
    more = len(found) - SHOWN
    return [*found[:SHOWN], f"{more} more"] if more > 0 else found
