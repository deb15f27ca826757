"""Words of code and of people: identifiers taken apart, so that `LoanStore.lend_book` and "lends books" meet."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache

MAX_WORD = 40
"""Longer runs of letters and digits are digests or data, not words."""

_RUN = re.compile(r"[^\W_]+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def bag(text: str) -> Counter[str]:
    """How often each word occurs: snake and camel case split, lower-cased, common endings taken off."""
    found = Counter[str]()
    for run, times in Counter(_RUN.findall(text)).items():
        for word in _parts(run):
            found[word] += times
    return found


@lru_cache(maxsize=1 << 16)
def _parts(run: str) -> tuple[str, ...]:
    if len(run) > MAX_WORD:
        return ()
    # Case says where a word begins in ASCII names only; others stay whole.
    parts: list[str] = _PART.findall(run) if run.isascii() else [run]
    return tuple(_stem(part.casefold()) for part in parts if len(part) > 1)


def _stem(word: str) -> str:
    """`word` without a plural's or a verb's ending; crude, but the same for whoever asks and what is found."""
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word.removesuffix(ending)
    if word.endswith("s") and not word.endswith("ss") and len(word) > 3:
        return word[:-1]
    return word


def rarity(words: Iterable[str], found_in: Mapping[str, int], documents: int) -> dict[str, float]:
    """The inverse document frequency of each word, in the words' order, as BM25 has it: near 0 for what is everywhere.

    It is always above 0; a word found nowhere counts as found once.
    """
    return {word: _idf(max(found_in.get(word, 0), 1), documents) for word in words}


def _idf(found: int, documents: int) -> float:
    return math.log(1 + (max(documents - found, 0) + 0.5) / (found + 0.5))
