"""Reads a tree's files for comparison, within bounds of size, sum and time that hold whatever lies there."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from servers.reading.python import Module, module_of
from servers.reading.words import bag
from servers.specialist import ToolError
from servers.tree_files import read, shown, text_of

MAX_PYTHON_BYTES = 512 << 10
MAX_OTHER_BYTES = 128 << 10
MAX_ALL_BYTES = 48 << 20
MAX_PATH = 4096
"""Characters of a path that a contract can name; a longer one is left out."""
LOOK_S = 20.0

PYTHON = (".py", ".pyi")


@dataclass(frozen=True)
class Page:
    """One file as far as it was looked into; what is no text, or too large, has a path and a size only."""

    path: str
    bytes: int
    text: str = ""
    """Of Python only."""
    module: Module | None = None
    words: Counter[str] = field(default_factory=Counter[str])


@dataclass(frozen=True)
class Look:
    """Pages in the order asked for; `unread` were left out of looking into, because bytes or time were up."""

    pages: tuple[Page, ...]
    unread: int = 0


def look(tree: Path, paths: Iterable[str]) -> Look:
    """Look into the regular files `paths` below `tree`; those that are gone are left out. Blocks."""
    pages, unread, total, end = list[Page](), 0, 0, time.monotonic() + LOOK_S
    for path in paths:
        size = _size(tree, path)
        if size is None or len(shown(path)) > MAX_PATH:
            continue
        python = path.endswith(PYTHON)
        if size > (MAX_PYTHON_BYTES if python else MAX_OTHER_BYTES):
            pages.append(Page(shown(path), size))
        elif total + size > MAX_ALL_BYTES or time.monotonic() > end:
            pages.append(Page(shown(path), size))
            unread += 1
        else:
            total += size
            pages.append(_page(tree, path, size, python=python))
    return Look(tuple(pages), unread)


def _page(tree: Path, path: str, size: int, *, python: bool) -> Page:
    try:
        # Exactly as many bytes as were counted: a file that grew meanwhile is refused.
        text = text_of(read(tree, path, size), path)
    except ToolError:
        return Page(shown(path), size)
    if not python:
        return Page(shown(path), size, words=bag(text))
    return Page(shown(path), size, text, module_of(text), bag(text))


def _size(tree: Path, path: str) -> int | None:
    try:
        return os.lstat(tree / path).st_size
    except OSError:
        return None
