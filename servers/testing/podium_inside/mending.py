"""Puts the scratch copy back as it was, so that what one candidate did to files never reaches the next."""

from __future__ import annotations

import os
import shutil
import stat


class Mender:
    """Compares each file's inode, size, mode, mtime and ctime (which nobody can set) with those at the start.

    Damaged files come back from `pristine`, a read-only view of the tree the copy was made from; what is new is
    removed. Below `others` (temporary folders) only new entries are looked at.
    """

    def __init__(self, root: str, pristine: str, others: list[str]) -> None:
        self._root = root
        self._pristine = pristine
        self._was = _scan(root)
        self._others = {other: set(os.listdir(other)) for other in others if os.path.isdir(other)}

    def mend(self) -> int:
        """How many entries had to be put right."""
        now = _scan(self._root)
        mended = 0
        if now != self._was:
            mended = self._restore(now)
        for other, had in self._others.items():
            for name in _names(other) - had:
                _remove(os.path.join(other, name))
                mended += 1
        return mended

    def _restore(self, now: dict[str, tuple[int, ...]]) -> int:
        extra = [path for path in now if path not in self._was]
        wrong = [path for path in self._was if now.get(path) != self._was[path]]
        for path in extra:
            _remove(os.path.join(self._root, path))
        for path in sorted(wrong):  # folders before what is in them
            self._bring_back(path)
        for path in wrong:
            self._was[path] = _sign(os.lstat(os.path.join(self._root, path)))
        return len(extra) + len(wrong)

    def _bring_back(self, path: str) -> None:
        to, source = os.path.join(self._root, path), os.path.join(self._pristine, path)
        mode = os.lstat(source).st_mode
        if stat.S_ISDIR(mode):
            if not os.path.isdir(to) or os.path.islink(to):
                _remove(to)
                os.mkdir(to)
            os.chmod(to, stat.S_IMODE(mode) | stat.S_IRWXU)
            return
        _remove(to)
        if stat.S_ISLNK(mode):
            os.symlink(os.readlink(source), to)
            return
        shutil.copyfile(source, to)
        os.chmod(to, stat.S_IMODE(mode) | stat.S_IRUSR | stat.S_IWUSR)
        status = os.stat(source)
        os.utime(to, ns=(status.st_atime_ns, status.st_mtime_ns))


def _scan(root: str) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    todo = [""]
    while todo:
        folder = todo.pop()
        with os.scandir(os.path.join(root, folder)) as entries:
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    found[path] = (stat.S_IMODE(status.st_mode),)
                    todo.append(path)
                else:
                    found[path] = _sign(status)
    return found


def _sign(status: os.stat_result) -> tuple[int, ...]:
    if stat.S_ISDIR(status.st_mode):
        return (stat.S_IMODE(status.st_mode),)
    return (status.st_ino, status.st_size, status.st_mode, status.st_mtime_ns, status.st_ctime_ns)


def _names(folder: str) -> set[str]:
    return set(os.listdir(folder)) if os.path.isdir(folder) else set()


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
        if os.path.isdir(path):
            for folder, _, _ in os.walk(path):
                os.chmod(folder, 0o700)
            shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        os.unlink(path)
