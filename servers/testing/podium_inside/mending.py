"""Puts the scratch copy back as it was, so that what one candidate did to files never reaches the next."""

from __future__ import annotations

import os
import shutil
import stat

KEPT_BYTES = 32 << 20


def private_folders() -> list[str]:
    """Folders of the system that are this job's alone, as its sandbox says. Elsewhere /tmp may be everybody's."""
    return [name for name in os.environ.get("PODIUM_PRIVATE", "").split(":") if name]


class Spoilt(Exception):
    """What is damaged cannot be put right (too much to keep in memory, or not to be removed): a fresh copy helps."""


class Mender:
    """Compares each file's inode, size, mode, mtime and ctime (which nobody can set) with those at the start.

    Damaged files come back from memory, which holds the tree up to `KEPT_BYTES`; what is new is removed. Below
    `others` (temporary folders) only new entries are looked at.
    """

    def __init__(self, root: str, others: list[str]) -> None:
        self._root = root
        self._was = _scan(root)
        self._others = {other: _names(other) for other in others}
        self._kept: dict[str, bytes] = {}
        self._room = KEPT_BYTES
        for path in self._was:
            self.keep(path)

    def keep(self, path: str, *, always: bool = False) -> None:
        """Hold a file's content; with `always` whatever its size."""
        sign, full = self._was.get(path), os.path.join(self._root, path)
        if sign is None or path in self._kept or not (always or len(sign) == 1 or sign[1] <= self._room):
            return
        if stat.S_ISLNK(os.lstat(full).st_mode):
            self._kept[path] = os.fsencode(os.readlink(full))
        elif len(sign) > 1:
            with open(full, "rb") as file:
                self._kept[path] = file.read()
            self._room -= sign[1]

    def mend(self) -> None:
        """Put everything right.

        Raises:
            Spoilt: not everything could be.
        """
        for other, had in self._others.items():
            for name in _names(other) - had:
                _remove(os.path.join(other, name))
        now = _scan(self._root)
        if now == self._was:
            return
        for path, sign in now.items():
            if len(sign) == 1 and sign != self._was.get(path) and sign[0] & 0o700 != 0o700:
                os.chmod(os.path.join(self._root, path), 0o700)  # else nothing in it can be removed
        for path in [path for path in now if path not in self._was]:
            _remove(os.path.join(self._root, path))
        wrong = [path for path in self._was if now.get(path) != self._was[path]]
        for path in sorted(wrong):  # folders before what is in them
            self._bring_back(path)
        for path in wrong:
            self._was[path] = _sign(os.lstat(os.path.join(self._root, path)))

    def _bring_back(self, path: str) -> None:
        full, was = os.path.join(self._root, path), self._was[path]
        if len(was) == 1:
            if not os.path.isdir(full) or os.path.islink(full):
                _remove(full)
                os.mkdir(full)
            os.chmod(full, was[0])
            return
        if path not in self._kept:
            raise Spoilt(path)
        status = os.lstat(full) if os.path.lexists(full) else None
        if status is None or status.st_ino != was[0] or status.st_nlink > 1:
            _remove(full)  # else it is still the file it was, and writing into it is much faster
        if stat.S_ISLNK(was[2]):
            _remove(full)
            os.symlink(os.fsdecode(self._kept[path]), full)
            return
        if os.path.lexists(full):
            os.chmod(full, 0o600)
        with open(full, "wb") as file:
            file.write(self._kept[path])
        os.chmod(full, stat.S_IMODE(was[2]))
        os.utime(full, ns=(was[3], was[3]))


def _scan(root: str) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    todo = [""]
    while todo:
        folder = todo.pop()
        for entry in _listing(os.path.join(root, folder)):
            path = f"{folder}/{entry.name}" if folder else entry.name
            status = entry.stat(follow_symlinks=False)
            found[path] = _sign(status)
            if stat.S_ISDIR(status.st_mode):
                todo.append(path)
    return found


def _listing(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except PermissionError:
        os.chmod(folder, 0o700)  # a test closed it; that its mode is wrong is known already
        return _listing(folder)


def _sign(status: os.stat_result) -> tuple[int, ...]:
    if stat.S_ISDIR(status.st_mode):
        return (stat.S_IMODE(status.st_mode),)
    return (status.st_ino, status.st_size, status.st_mode, status.st_mtime_ns, status.st_ctime_ns)


def _names(folder: str) -> set[str]:
    try:
        return set(os.listdir(folder))
    except OSError:  # it is gone, or closed by the sandbox: then nothing new can lie in it
        return set()


def _remove(path: str) -> None:
    """Remove what is there.

    Raises:
        Spoilt: it cannot be removed.
    """
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
        if os.path.isdir(path):
            os.chmod(path, 0o700)
            for folder, folders, _ in os.walk(path):
                for name in folders:  # opened before it is entered; a link's mode is nobody's
                    if not os.path.islink(os.path.join(folder, name)):
                        os.chmod(os.path.join(folder, name), 0o700)
            shutil.rmtree(path, ignore_errors=True)
            if os.path.isdir(path):
                raise Spoilt(path)
    elif os.path.lexists(path):
        os.unlink(path)
