"""Where a member's throw-away copies lie: below the state directory, or where another user can reach them."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from servers.sandbox import landlock

PREFIX = "podium-scratch-"


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
    """Remove a folder, if it is there, even if a test took permissions away inside it."""
    if path.is_symlink():
        return
    shutil.rmtree(path, ignore_errors=True)
    if path.is_dir():
        with suppress(OSError):
            path.chmod(0o700)
        for folder, folders, _ in os.walk(path):
            for inner in (Path(folder, name) for name in folders):
                with suppress(OSError):  # it may be going, or somebody else's
                    if not inner.is_symlink():
                        inner.chmod(0o700)  # before it is entered
        shutil.rmtree(path, ignore_errors=True)


def close_every_scratch(root: Path) -> None:
    """Close all below `root`."""
    for at in sorted(root.glob("*")):
        close_scratch(at)
