"""Writes a checked patch to a tree, all of it or nothing.

Everything that needs room on the disk is written beside the files first; then each file is swapped in one
step, so a reader sees it before or after, never between. Undoing needs renames only, so it works on a full
disk too. What a killed process leaves behind are `.podium-*` files, which the workspace cleans away.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from bus.crash import crash_point
from servers.patching import Change, CheckedPatch, current
from servers.specialist import ToolError
from servers.tree_files import folder_of


def write(patch: CheckedPatch, tree: Path) -> None:
    """Put a checked patch on disk; on any error every file is put back as it was.

    Raises:
        ToolError: conflict, when a file is no longer what was checked; otherwise as `folder_of`.
        OSError: the disk is full or read-only.
    """
    for change in patch.changes:
        found = current(tree, change.path)
        if (found[0] if found else None) != change.old:
            raise ToolError("conflict", f"{change.path!r} changed since the patch was checked", retry=True)
    swaps = [_Swap(tree, change) for change in patch.changes]
    try:
        for swap in swaps:
            swap.stage()
        for swap in swaps:
            crash_point("apply.before_swap")
            swap.swap()
            crash_point("apply.after_swap")
    except BaseException:
        for swap in reversed(swaps):
            swap.undo()
        raise
    for swap in swaps:
        swap.finish()


class _Swap:
    """One file on its way from old to new."""

    def __init__(self, tree: Path, change: Change) -> None:
        self._tree = tree
        self._change = change
        token = secrets.token_hex(8)
        self._staged, self._backup = f".podium-{token}.new", f".podium-{token}.old"
        self._swapped = False

    def stage(self) -> None:
        """Write the new content, and a second name for the old, beside the file."""
        change = self._change
        with folder_of(self._tree, change.path, create=change.new is not None) as (folder, name):
            if change.old is not None:
                os.link(name, self._backup, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
            if change.new is not None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                handle = os.open(self._staged, flags, 0o600, dir_fd=folder)
                with os.fdopen(handle, "wb") as file:
                    file.write(change.new)
                    file.flush()
                    os.fchmod(handle, change.mode)

    def swap(self) -> None:
        """Make the new state the file's."""
        with folder_of(self._tree, self._change.path) as (folder, name):
            if self._change.new is None:
                os.unlink(name, dir_fd=folder)
            else:
                os.replace(self._staged, name, src_dir_fd=folder, dst_dir_fd=folder)
        self._swapped = True

    def undo(self) -> None:
        """Make the old state the file's again, as far as it got."""
        with suppress(ToolError), folder_of(self._tree, self._change.path) as (folder, name):
            if self._swapped and self._change.old is None:
                _remove(folder, name)
            elif self._swapped:
                os.replace(self._backup, name, src_dir_fd=folder, dst_dir_fd=folder)
            _remove(folder, self._staged)
            _remove(folder, self._backup)
        self._prune()

    def finish(self) -> None:
        """Remove what was kept for undoing; folders go with their last file, as git has it."""
        with folder_of(self._tree, self._change.path) as (folder, _):
            _remove(folder, self._backup)
        if self._change.new is None:
            self._prune()

    def _prune(self) -> None:
        parent = self._change.path.rpartition("/")[0]
        while parent:
            with suppress(OSError, ToolError), folder_of(self._tree, parent) as (folder, name):
                os.rmdir(name, dir_fd=folder)
            parent = parent.rpartition("/")[0]


def _remove(folder: int, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
