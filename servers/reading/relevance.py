"""How much each file has to do with some words.

A file's own weight: per word, rarer words counting more, whether its path, its definitions or its docstrings have
it, and how often its text does (saturating, longer texts needing more of it, as BM25 weighs). Then one pass
over the imports: every file that weighs at least `RELEVANT` of the weightiest shares `SHARE` of its weight evenly
among those it imports and those that import it. That is the first step of a personalised PageRank, and enough to
bring the module a relevant test imports; were every file to share, what everybody imports would always come first.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from servers.reading.links import links
from servers.reading.pages import Page
from servers.reading.words import bag, rarity

IN_PATH, IN_NAMES, IN_DOCS = 4.0, 3.0, 2.0
SATURATION, LENGTH = 1.5, 0.75
SHARE = 0.5
RELEVANT = 0.5


def weights(words: str, pages: Sequence[Page]) -> dict[str, float]:
    """The rarity of those of `words` that occur in any of the pages."""
    asked = sorted(bag(words))
    found_in = Counter[str]()
    for page in pages:
        in_path = bag(page.path)
        found_in.update(word for word in asked if word in page.words or word in in_path)
    return rarity((word for word in asked if found_in[word]), found_in, len(pages))


def relevance(weight: Mapping[str, float], pages: Sequence[Page]) -> list[float]:
    """The weight of each page for words of this rarity; without any, what is imported most counts most."""
    lengths = [page.words.total() for page in pages]
    usual = max(sum(lengths) / max(len(pages), 1), 1.0)
    own = [_own(weight, page, length / usual) for page, length in zip(pages, lengths, strict=True)]
    if not any(own):
        own = [1.0] * len(pages)
    near = links(pages)
    enough = RELEVANT * max(own, default=0.0)
    sharing = [each if each >= enough else 0.0 for each in own]
    return [
        own[number] + SHARE * math.fsum(sharing[other] / len(near[other]) for other in near[number])
        for number in range(len(pages))
    ]


def _own(weight: Mapping[str, float], page: Page, length: float) -> float:
    path = bag(page.path)
    declared = page.module.declared if page.module else ()
    names = bag(" ".join(each.definition.name for each in declared))
    docs = bag(" ".join([page.module.doc if page.module else "", *(each.doc for each in declared)]))
    slow = SATURATION * (1 - LENGTH + LENGTH * length)
    return math.fsum(
        rare
        * (
            IN_PATH * (word in path)
            + IN_NAMES * (word in names)
            + IN_DOCS * (word in docs)
            + page.words[word] / (page.words[word] + slow)
        )
        for word, rare in weight.items()
    )
