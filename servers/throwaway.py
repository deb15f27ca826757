"""Where a member's throw-away copies lie: below the state directory, or where another user can reach them."""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from servers.sandbox import landlock

PREFIX = "podium-scratch-"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_scratch(at: Path) -> Path:
    """An empty folder for `at`'s purpose: `at` itself, or what it links to.

    Where root has no Landlock, the sandbox may come down to programs that run as a user who owns nothing, and
    who cannot pass root's home: then the folder lies in the system's temporary one, closed to listing.
    """
    close_scratch(at)
    if os.geteuid() != 0 or landlock.abi():
        at.mkdir(parents=True, mode=0o700)
        return at
    at.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    passable = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
    passable.chmod(0o711)
    at.symlink_to(passable)
    return passable


def close_scratch(at: Path) -> None:
    """Remove it with all it holds; nothing happens if it was never opened."""
    if at.is_symlink():
        there = at.readlink()
        at.unlink()
        # The temporary folder is everybody's: by now the name may be somebody else's.
        if there.is_dir() and not there.is_symlink() and there.stat().st_uid == os.geteuid():
            remove_tree(there)
    remove_tree(at)


def remove_tree(path: Path) -> None:
    """Remove a folder, if it is there, even if a test took permissions away inside it, or nested it without end.

    Folders are moved up into `path` before they are emptied: no path is too long then, and nothing recurses.
    """
    if path.is_symlink() or not path.is_dir():
        return
    with suppress(OSError):
        path.chmod(0o700)
        top = os.open(path, _FOLDER)
        try:
            left = _emptied(top, top)
            while left:
                left += _removed(left.pop(), top)
        finally:
            os.close(top)
        path.rmdir()


def _removed(name: str, top: int) -> list[str]:
    """Remove a folder of `top`; the folders that were in it are in `top` now, under these names."""
    moved: list[str] = []
    with suppress(OSError):  # it may be going, or somebody else's
        folder = os.open(name, _FOLDER, dir_fd=top)
        try:
            moved = _emptied(folder, top)
        finally:
            os.close(folder)
        os.rmdir(name, dir_fd=top)
    return moved


def _emptied(folder: int, top: int) -> list[str]:
    """Remove the files of an open folder and move its folders into `top`; what these are called there."""
    moved: list[str] = []
    for name in os.listdir(folder):
        with suppress(OSError):
            if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                os.unlink(name, dir_fd=folder)
                continue
            os.chmod(name, 0o700, dir_fd=folder)  # before it is moved, and entered
            fresh = f"{PREFIX}{secrets.token_hex(8)}"
            os.rename(name, fresh, src_dir_fd=folder, dst_dir_fd=top)
            moved.append(fresh)
    return moved


def close_every_scratch(root: Path) -> None:
    """Close all below `root`."""
    for at in sorted(root.glob("*")):
        close_scratch(at)
