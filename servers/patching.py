"""Checks a patch as the hostile input it is. `servers.patch_writing` puts what passed on disk."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from contracts import diff
from contracts.diff import DiffError, FileDiff
from contracts.file_names import folded, name_problem
from servers.specialist import ToolError
from servers.tree_files import folder_of, read_at, text_of

MAX_DIFF_BYTES = 64 << 20
MAX_FILES = 10_000
MAX_CHANGED_LINES = 1_000_000
MAX_FILE_BYTES = 8 << 20

_PLAIN_MODES = (None, "100644", "100755")


@dataclass(frozen=True)
class Change:
    """One file before and after; None: it does not exist. `mode` is its permission bits after."""

    path: str
    old: bytes | None
    new: bytes | None
    mode: int = 0o644


@dataclass(frozen=True)
class CheckedPatch:
    """A patch found harmless in form and fitting its tree, with every new content computed."""

    changes: tuple[Change, ...]
    added_lines: int
    removed_lines: int

    @property
    def files(self) -> tuple[str, ...]:
        """Paths it changes, sorted."""
        return tuple(sorted(change.path for change in self.changes))


def check(text: str, tree: Path) -> CheckedPatch:
    """Judge a unified diff against the files of `tree`; nothing is written.

    Raises:
        ToolError: invalid, when a name, a mode or a place is not allowed or it does not apply; limit, when it is
            too large; not_found, when it changes a file that does not exist.
    """
    if len(text.encode()) > MAX_DIFF_BYTES:
        raise ToolError("limit", f"the diff has more than {MAX_DIFF_BYTES} bytes")
    try:
        parsed = diff.parse(text)
    except DiffError as error:
        raise ToolError("invalid", f"not a unified diff: {error}") from error
    if not parsed:
        raise ToolError("invalid", "the diff is empty")
    if len(parsed) > MAX_FILES:
        raise ToolError("limit", f"the diff changes {len(parsed)} files; at most {MAX_FILES} are taken")
    added, removed = sum(each.added for each in parsed), sum(each.removed for each in parsed)
    if added + removed > MAX_CHANGED_LINES:
        raise ToolError("limit", f"the diff changes {added + removed} lines; at most {MAX_CHANGED_LINES} are taken")
    for each in parsed:
        _check_form(each)
    _check_distinct([each.path for each in parsed])
    return CheckedPatch(tuple(_change(each, tree) for each in parsed), added, removed)


def _check_form(each: FileDiff) -> None:
    """Refuse what only changes a file's kind, and every name that is not allowed."""
    if wrong := name_problem(each.path):
        raise ToolError("invalid", f"the patch names a path that may not be written: {wrong}")
    if each.binary:
        raise _not(each, "is a binary change")
    if each.copied or (each.old_path is not None and each.old_path != each.path):
        raise _not(each, "is moved or copied; a move is given as a deletion and a creation")
    if each.old_mode not in _PLAIN_MODES or each.new_mode not in _PLAIN_MODES:
        raise _not(each, "is a symbolic link or a submodule in the patch")
    if each.created and each.new_mode == "100755":
        raise _not(each, "would be created as a program; new files are plain (100644)")
    if each.old_mode and each.new_mode and each.old_mode != each.new_mode:
        raise _not(each, f"would change its mode from {each.old_mode} to {each.new_mode}")
    if not each.hunks and not each.created and not each.deleted:
        raise _not(each, "is named without any change")


def _check_distinct(paths: list[str]) -> None:
    """Refuse two entries for one file, also where only some file systems take the names for one."""
    seen = set[str]()
    for path in paths:
        key = folded(path)
        if key in seen:
            raise ToolError("invalid", f"the patch changes {path!r} twice (case and Unicode form aside)")
        seen.add(key)
    for key in seen:
        parts = key.split("/")
        if any("/".join(parts[:length]) in seen for length in range(1, len(parts))):
            raise ToolError("invalid", f"the patch has {key!r} below something it takes for a file")


def _change(each: FileDiff, tree: Path) -> Change:
    found = current(tree, each.path)
    if each.created:
        if found is not None:
            raise _not(each, "is to be created, and exists already")
        old, mode = None, 0o644
        _check_parents(tree, each.path)
    elif found is None:
        raise ToolError("not_found", f"the patch changes {each.path!r}, which does not exist")
    else:
        old, mode = found
        _check_parents(tree, each.path)
    try:
        new = diff.apply(each, text_of(old, each.path) if old else "")
    except DiffError as error:
        raise ToolError(
            "invalid", f"the patch does not apply: {error}", way_out="Make it again from the files as they are."
        ) from error
    if "\0" in new:
        raise _not(each, "would become a binary file")
    data = new.encode()
    if len(data) > MAX_FILE_BYTES:
        raise ToolError("limit", f"{each.path!r} would have {len(data)} bytes; at most {MAX_FILE_BYTES} are written")
    return Change(each.path, old, None if each.deleted else data, mode)


def current(tree: Path, path: str) -> tuple[bytes, int] | None:
    """Content and permission bits of a regular file; None when it does not exist.

    Raises:
        ToolError: as `servers.tree_files.read`, not_found excepted.
    """
    try:
        with folder_of(tree, path) as (folder, name):
            data, status = read_at(folder, name, path, MAX_FILE_BYTES)
    except ToolError as error:
        if error.failure.kind == "not_found":
            return None
        raise
    return data, stat.S_IMODE(status.st_mode)


def _check_parents(tree: Path, path: str) -> None:
    """Refuse a path inside a submodule: a folder with its own `.git`, or, as git leaves it, an empty one."""
    parts = path.split("/")
    for length in range(1, len(parts)):
        folder = tree.joinpath(*parts[:length])
        if not folder.is_dir():
            return
        names = os.listdir(folder)
        if not names or ".git" in names:
            raise ToolError("invalid", f"the patch has {path!r} inside the submodule {'/'.join(parts[:length])!r}")


def _not(each: FileDiff, why: str) -> ToolError:
    return ToolError("invalid", f"{each.path!r} {why}")
