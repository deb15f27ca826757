"""The three versions of every file that a handed-over change touches, as lines, read from a repository."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.intake import run_git

_ABSENT = "000000"
_SUBMODULE = "160000"


@dataclass(frozen=True)
class Versions:
    """One file; a version without lines is none.

    What is no text is a line of its own, and so is that a file is empty. Where the change moves the file or makes it
    executable, path and mode are a line, too.
    """

    path: str
    """As it was handed over; where it was deleted, as it had been called."""
    merged_as: str
    """Empty where it was not merged."""
    base: tuple[str, ...]
    handed: tuple[str, ...]
    merged: tuple[str, ...]


def versions(repo: Path, base: str, handed: str, merged: str) -> tuple[Versions, ...]:
    """Every file that differs between the commits `base` and `handed`, found again in `merged` though it was renamed.

    Raises:
        IntakeError: git failed.
    """
    changed = list(_changed(repo, base, handed))
    there = _named(repo, merged, [each.path for each in changed])
    if any(each.new and each.path not in there for each in changed):
        moved = _changed(repo, handed, merged, "--diff-filter=R")
        there = {**{each.old.path: each.new for each in moved if each.old and each.new}, **there}
    return tuple(_versions(repo, each, there.get(each.path)) for each in changed)


@dataclass(frozen=True)
class _File:
    path: str
    mode: str
    id: str


@dataclass(frozen=True)
class _Change:
    path: str
    """Of the new file; of the old one where there is no new one."""
    old: _File | None
    new: _File | None


def _changed(repo: Path, old: str, new: str, *options: str) -> Iterator[_Change]:
    """Files that differ; a renamed one is one."""
    said = run_git(
        repo,
        *("diff", "--raw", "-z", "--no-abbrev", "--find-renames", "--no-ext-diff", "--no-textconv", *options),
        *(old, new, "--"),
    )
    words = iter(_names(said))
    for word in words:
        old_mode, new_mode, old_id, new_id, status = word.removeprefix(":").split(" ")
        path = old_path = next(words)
        if status.startswith("R"):
            path = next(words)
        yield _Change(
            path,
            None if old_mode == _ABSENT else _File(old_path, old_mode, old_id),
            None if new_mode == _ABSENT else _File(path, new_mode, new_id),
        )


def _named(repo: Path, commit: str, paths: Iterable[str]) -> Mapping[str, _File]:
    """The files of these paths that a commit has."""
    wanted = set(paths)
    found: dict[str, _File] = {}
    said = run_git(repo, "--literal-pathspecs", "ls-tree", "-r", "-z", "--full-tree", commit, "--", *sorted(wanted))
    for row in _names(said):
        about, path = row.split("\t", 1)
        mode, _, name = about.split(" ")
        if path in wanted:
            found[path] = _File(path, mode, name)
    return found


def _versions(repo: Path, change: _Change, now: _File | None) -> Versions:
    old, new = change.old, change.new
    named = bool(old and new and (old.path, old.mode) != (new.path, new.mode))
    base, handed, merged = (_lines(repo, each, named) for each in (old, new, now))
    return Versions(change.path, now.path if now else "", base, handed, merged)


def _lines(repo: Path, file: _File | None, named: bool) -> tuple[str, ...]:
    if file is None:
        return ()
    name = (f"{file.mode} {file.path}",) if named else ()
    content = b"" if file.mode == _SUBMODULE else run_git(repo, "cat-file", "blob", file.id)
    if file.mode == _SUBMODULE or b"\0" in content:
        return (*name, file.id)
    return (*name, *(content.decode(errors="surrogateescape").split("\n") if content.strip() else ["(empty)"]))


def _names(said: bytes) -> list[str]:
    return [each.decode(errors="backslashreplace") for each in said.split(b"\0") if each]
