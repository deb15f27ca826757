"""Which Python files of a tree import which, by their names; nothing is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from servers.reading.pages import PYTHON, Page


def links(pages: Sequence[Page]) -> tuple[frozenset[int], ...]:
    """For each page the pages it imports or is imported by, as indices."""
    known = _names([page.path for page in pages])
    found = [set[int]() for _ in pages]
    for number, page in enumerate(pages):
        for level, name in page.module.imports if page.module else ():
            other = _resolve(page.path, level, name, known)
            if other is not None and other != number:
                found[number].add(other)
                found[other].add(number)
    return tuple(map(frozenset, found))


def _names(paths: Sequence[str]) -> dict[str, int]:
    """The dotted names each file can be imported by: from the root, from `src`, from above its top package."""
    packages = {path.rpartition("/")[0] for path in paths if path.endswith(("/__init__.py", "/__init__.pyi"))}
    names = dict[str, int]()
    for number, path in enumerate(paths):
        if not path.endswith(PYTHON):
            continue
        parts = path.rpartition(".")[0].split("/")
        top = len(parts) - 1
        while top and "/".join(parts[:top]) in packages:
            top -= 1
        for start in sorted({0, top, 1 if parts[0] == "src" else 0}):
            dotted = ".".join(parts[start:]).removesuffix(".__init__")
            # The first in path order keeps a name that two could have.
            names.setdefault(dotted, number)
    return names


def _resolve(path: str, level: int, name: str, known: Mapping[str, int]) -> int | None:
    """The file behind `from ... import name`: the longest part of the name that is one."""
    if level:
        folder = path.split("/")[:-level]
        if len(path.split("/")) < level:
            return None
        name = ".".join([*folder, name])
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        found = known.get(".".join(parts[:length]))
        if found is not None:
            return found
    return None
