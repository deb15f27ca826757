"""A folder of one's own for as long as a process lives; what killed processes left goes at the next start."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from servers.throwaway import close_every_scratch, remove_tree


@contextmanager
def own_folder(among: Path) -> Generator[Path]:
    """A new folder below `among`, removed afterwards. Whose process lives is told by a lock on each.

    Raises:
        OSError: it cannot be made.
    """
    among.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _locked(among):
        for left in among.iterdir():
            if (handle := _lock_if_free(left)) is not None:
                _remove(left)
                os.close(handle)
        folder = Path(tempfile.mkdtemp(dir=among))
        held = _lock_if_free(folder)
    assert held is not None
    try:
        yield folder
    finally:
        _remove(folder)
        os.close(held)


def _remove(folder: Path) -> None:
    close_every_scratch(folder / "scratch")
    remove_tree(folder)


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _lock_if_free(folder: Path) -> int | None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
