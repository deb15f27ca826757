"""Every edit worth trying, the likeliest first, each resulting text once.

The order is a function of the files and the failure alone: weight (suspiciousness of the statement times
the template's prior), then path and position.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from servers.search.clues import Clues
from servers.search.localise import Place
from servers.search.scope import Names
from servers.search.source import Source, Unreadable, compiles, parse, shallow
from servers.search.template import Rewrite, Site, Template

MAX_CANDIDATES = 20_000
MAX_PLACES = 400
MAX_TEXT = 4000


@dataclass(frozen=True, eq=False)
class Edit:
    """One candidate: `text[start:end]` of a file is replaced; the rest stays byte for byte."""

    source: Source
    start: int
    end: int
    text: str
    line: int
    template: str
    what: str
    weight: float

    @property
    def result(self) -> str:
        """The whole file's text with the edit."""
        return self.source.text[: self.start] + self.text + self.source.text[self.end :]

    @property
    def size(self) -> int:
        """Characters removed plus characters added."""
        return self.end - self.start + len(self.text)

    def around(self) -> tuple[str, str]:
        """The text of the top-level statements the edit lies in, before and after."""
        body = self.source.tree.body
        spans = [self.source.span(node) for node in body]
        touched = [span for span in spans if span[0] <= self.end and self.start <= span[1]]
        first = min([self.start, *(span[0] for span in touched)])
        last = max([self.end, *(span[1] for span in touched)])
        text = self.source.text
        return text[first:last], text[first : self.start] + self.text + text[self.end : last]

    def sound(self) -> bool:
        """Whether the result compiles without a warning and says something else than before."""
        before, after = self.around()
        try:
            if not compiles(after):
                return False
            return ast.dump(parse(before)) != ast.dump(parse(after))
        except (Unreadable, RecursionError):
            return False


def candidates(places: Sequence[Place], clues: Clues, templates: Sequence[Template]) -> tuple[Edit, ...]:
    """The edits at the most suspicious places, best first, at most `MAX_CANDIDATES`."""
    ordered = sorted(places, key=lambda place: (-place.score, place.source.path, place.statement.lineno))
    names = {place.source: Names(place.source) for place in ordered}
    best: dict[tuple[str, int, int, str], Edit] = {}
    for place in ordered[:MAX_PLACES]:
        for edit in _at(place, names[place.source], clues, templates):
            key = (edit.source.path, *_canonical(edit.source.text, edit.start, edit.end, edit.text))
            if key not in best or best[key].weight < edit.weight:
                best[key] = edit
    found = sorted(best.values(), key=lambda edit: (-edit.weight, edit.source.path, edit.start, edit.end, edit.text))
    return tuple(found[:MAX_CANDIDATES])


def _at(place: Place, names: Names, clues: Clues, templates: Sequence[Template]) -> Iterator[Edit]:
    for node in shallow(place.statement):
        if not _editable(place.source, node):
            continue
        site = Site(place.source, node, names, clues)
        for template in templates:
            for rewrite in template.rewrites(site):
                if len(rewrite.text) <= MAX_TEXT and place.source.text[rewrite.start : rewrite.end] != rewrite.text:
                    yield _edit(place, template, rewrite)


def _edit(place: Place, template: Template, rewrite: Rewrite) -> Edit:
    return Edit(
        source=place.source,
        start=rewrite.start,
        end=rewrite.end,
        text=rewrite.text,
        line=place.source.line_at(rewrite.start),
        template=template.name,
        what=rewrite.what,
        weight=round(place.score * template.prior * rewrite.weight, 6),
    )


def _editable(source: Source, node: ast.AST) -> bool:
    """Whether the recorded position of a node can be relied on."""
    if any(isinstance(outer, ast.JoinedStr) for outer in (node, *source.ancestors(node))):
        literal = isinstance(node, ast.Constant) and isinstance(source.parents.get(node), ast.JoinedStr)
        return isinstance(node, ast.expr) and not literal and source.holds(node)
    return True


def _canonical(text: str, start: int, end: int, new: str) -> tuple[int, int, str]:
    """The one way to write an edit: common ends cut off, pure insertions and deletions as late as they go."""
    while start < end and new and text[start] == new[0]:
        start, new = start + 1, new[1:]
    while start < end and new and text[end - 1] == new[-1]:
        end, new = end - 1, new[:-1]
    if start == end:
        while new and end < len(text) and text[end] == new[0]:
            start, end, new = start + 1, end + 1, new[1:] + new[0]
    elif not new:
        while end < len(text) and text[start] == text[end]:
            start, end = start + 1, end + 1
    return start, end, new
