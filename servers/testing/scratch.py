"""Throw-away copies of a run's tree."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from contracts import diff
from contracts.diff import DiffError, FileDiff
from servers.specialist import ToolError
from servers.testing.podium_inside.request import Splice
from servers.throwaway import remove_tree

TREE = "tree"


@asynccontextmanager
async def scratch_copy(tree: Path, under: Path) -> AsyncGenerator[Path]:
    """A folder below `under` whose `tree` is a copy of `tree`; removed afterwards, whatever happened.

    `.git` stays behind. Symlinks are copied as links and never followed; devices, pipes and sockets are left out.
    """
    under.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(dir=under))
    try:
        await anyio.to_thread.run_sync(copy_tree, os.fspath(tree), os.fspath(home / TREE))
        yield home
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(remove_tree, home)


def copy_tree(source: str, target: str, *, top: bool = True) -> None:
    """Copy files with their modes and times (times decide whether a file was touched since)."""
    os.mkdir(target)
    with os.scandir(source) as entries:
        for entry in entries:
            if top and entry.name == ".git":
                continue
            to = os.path.join(target, entry.name)
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), to)
            elif entry.is_dir(follow_symlinks=False):
                copy_tree(entry.path, to, top=False)
            elif entry.is_file(follow_symlinks=False):
                shutil.copyfile(entry.path, to, follow_symlinks=False)
                status = entry.stat(follow_symlinks=False)
                os.chmod(to, stat.S_IMODE(status.st_mode) | stat.S_IRUSR | stat.S_IWUSR)
                os.utime(to, ns=(status.st_atime_ns, status.st_mtime_ns))


def state(tree: Path) -> str:
    """A digest of the names, sizes, modes, inodes and times of all files: another one after any change (ctime)."""
    found: list[tuple[object, ...]] = []
    for folder, folders, names in os.walk(tree):
        if folder == os.fspath(tree):
            folders[:], names = [each for each in folders if each != ".git"], [each for each in names if each != ".git"]
        for name in [*folders, *names]:
            path = os.path.join(folder, name)
            at = os.lstat(path)
            folder_only = stat.S_ISDIR(at.st_mode)  # its times change with what is in it, which is listed itself
            found.append((path, at.st_mode, *(() if folder_only else (at.st_ino, at.st_size, at.st_ctime_ns))))
    return hashlib.sha256(repr(sorted(found, key=repr)).encode("utf-8", "surrogateescape")).hexdigest()


def splices(tree: Path, text: str) -> list[Splice]:
    """What a unified diff does to the files below `tree`, as one splice a file.

    Raises:
        DiffError: it cannot be read, does not apply, or names a path outside the tree.
    """
    made: list[Splice] = []
    for change in diff.parse(text):
        old = read(tree, change.old_path) if change.old_path is not None else ""
        if change.created and inside(tree, change.path).exists():
            raise DiffError(change.at, f"{change.path} is to be created and exists already")
        new = diff.apply(change, old)
        moved = change.old_path is not None and change.old_path != change.path
        if change.deleted or (moved and not change.copied):
            made.append(Splice(path=change.old_path or change.path, delete=True))
        if not change.deleted:
            made.append(Splice(change.path, 0, 0, new) if moved else between(change, old, new))
    if not made:
        raise DiffError(0, "the diff changes nothing")
    return made


def between(change: FileDiff, old: str, new: str) -> Splice:
    """The one splice that turns `old` into `new`."""
    start = _common(old, new)
    tail = _common(old[start:][::-1], new[start:][::-1])
    return Splice(change.path, start, len(old) - tail, new[start : len(new) - tail])


def _common(one: str, other: str) -> int:
    """Length of what both begin with; halving, because comparing slices is faster than characters."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def read(tree: Path, path: str) -> str:
    """A file's text; bytes that are not UTF-8 survive the round trip.

    Raises:
        DiffError: there is no such file.
    """
    try:
        return inside(tree, path).read_bytes().decode("utf-8", "surrogateescape")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise DiffError(0, f"{path} is not a file of the tree") from None


def write(tree: Path, made: list[Splice]) -> None:
    """Make the edits on a scratch copy."""
    for splice in made:
        path = inside(tree, splice.path)
        if splice.delete:
            path.unlink()
            continue
        old = path.read_bytes().decode("utf-8", "surrogateescape") if path.exists() else ""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(splice.apply(old).encode("utf-8", "surrogateescape"))


def inside(tree: Path, path: str) -> Path:
    """The path below `tree`.

    Raises:
        DiffError: it is absolute, climbs out, names git's own folder, or goes through a symlink.
    """
    parts = Path(path).parts
    if not parts or Path(path).is_absolute() or ".." in parts or ".git" in parts or "\0" in path:
        raise DiffError(0, f"{path!r} is not a path inside the tree")
    at = tree
    for part in parts:
        at = at / part
        if at.is_symlink():
            raise DiffError(0, f"{path} goes through a symlink")
    return at


def checked_splices(tree: Path, text: str) -> list[Splice]:
    """`splices`, for a tool's own parameter: what is wrong with the diff is the call's failure."""
    try:
        return splices(tree, text)
    except DiffError as wrong:
        raise ToolError("invalid", f"the diff does not apply: {wrong}") from wrong
