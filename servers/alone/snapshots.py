"""Snapshots of a person's checkout: its files as they are, committed or not, as trees for specialists to read.

A snapshot is what a run's worktree is, `work/<run>/tree`, and never changes once it is made. The next one is made when
something has changed; files that have not are the same files on disk, by hard links among snapshots. Ignored files and
submodules stay behind, as in a run; files git does not know yet come along, for a person who writes a test and runs it.

Of the checkout everything is read and nothing written: names come from git, content from the files themselves, reached
without following a link.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from contracts.failure import Failure
from contracts.git_env import ATTRIBUTES, fetch_copy, git_command, init_copy
from contracts.run_settings import RunSettings
from servers.alone.line import Snapshot
from servers.specialist import ToolError
from servers.throwaway import remove_tree
from servers.tree_files import folder_of

_REF = "refs/podium/base"

_TICKS_NS = 100_000_000
"""Times of files advance in ticks of some milliseconds: what was just written may be written again unnoticed."""

Signature = tuple[int, ...]
"""What changes with a file: mode, inode, size, and the times of its last two kinds of change, in nanoseconds."""


class CheckoutUnreadable(Exception):
    """The checkout cannot be taken in now."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.failure = Failure(kind="unavailable", message=message, retry=True, way_out="See whether git can read it.")


@dataclass(frozen=True)
class Checkout:
    """What is read: the top of a checkout, how its tests run, and the person's own file of what git ignores."""

    root: Path
    settings: RunSettings
    ignore_file: Path | None = None

    def commit(self) -> str:
        """What it is at."""
        return _git(self.root, "rev-parse", "--verify", "HEAD^{commit}").decode().strip()

    def files(self) -> dict[str, Signature]:
        """Files and links that git tracks, or does not know and does not ignore."""
        mine = ("-c", f"core.excludesFile={self.ignore_file}") if self.ignore_file else ()
        listed = _git(self.root, *mine, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        found: dict[str, Signature] = {}
        for path in (os.fsdecode(each) for each in listed.split(b"\0") if each):
            try:
                at = os.lstat(self.root / path)
            except (FileNotFoundError, NotADirectoryError):
                continue  # deleted, and not yet committed so
            if stat.S_ISREG(at.st_mode) or stat.S_ISLNK(at.st_mode):
                found[path] = (at.st_mode, at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns)
        return found


@dataclass(frozen=True)
class _Made:
    """A snapshot, and what the checkout was like."""

    snapshot: Snapshot
    files: Mapping[str, Signature]
    settled: frozenset[str]
    """Files old enough for their signatures to be relied on."""

    def has(self, path: str, signature: Signature) -> bool:
        """Whether this very file is in it."""
        return path in self.settled and self.files[path] == signature

    def shows(self, commit: str, files: Mapping[str, Signature]) -> bool:
        """Whether the checkout is as it was."""
        return self.snapshot.commit == commit and self.files == files and len(self.settled) == len(files)


def settled(files: Mapping[str, Signature], now_ns: int) -> frozenset[str]:
    """Those that cannot have been written since without another signature."""
    return frozenset(path for path, at in files.items() if max(at[-2:]) < now_ns - _TICKS_NS)


class Album:
    """The snapshots of one checkout, in a folder of their own."""

    def __init__(self, checkout: Checkout, work: Path) -> None:
        self._checkout = checkout
        self._work = work
        self._repository = work / "repo.git"
        self._newest: _Made | None = None
        self._count = 0

    def take(self) -> Snapshot:
        """The checkout as it is now: the newest snapshot, or a new one.

        Raises:
            CheckoutUnreadable: with git's or the system's own words.
        """
        try:
            self._newest = self._taken()
        except OSError as error:
            raise CheckoutUnreadable(f"{error.filename or self._checkout.root}: {error.strerror}") from error
        return self._newest.snapshot

    def keep(self, in_use: Collection[str]) -> None:
        """Remove all snapshots but the newest and those in use."""
        newest = [self._newest.snapshot.run] if self._newest else []
        for folder in self._work.glob("r-*"):
            if folder.name not in (*newest, *in_use):
                remove_tree(folder)

    def _taken(self) -> _Made:
        now = time.time_ns()
        commit, files = self._checkout.commit(), self._checkout.files()
        newest = self._newest
        if newest is not None and newest.shows(commit, files):
            return newest
        if newest is None or newest.snapshot.commit != commit:
            self._fetch(commit)
        self._count += 1
        run = f"r-here{self._count}"
        self._make(self._work / run / "tree", commit, files)
        (self._work / run / "settings.json").write_bytes(self._checkout.settings.canonical())
        return _Made(Snapshot(run=run, commit=commit), files, settled(files, now))

    def _fetch(self, commit: str) -> None:
        if not self._repository.exists():
            form = _git(self._checkout.root, "rev-parse", "--show-object-format").decode().strip()
            self._work.mkdir(mode=0o700, exist_ok=True)
            _git(self._work, *init_copy(self._repository, form))
            (self._repository / "info").mkdir(exist_ok=True)
            (self._repository / "info/attributes").write_text(ATTRIBUTES)
        _git(self._repository, *fetch_copy(self._checkout.root, commit, _REF))

    def _make(self, tree: Path, commit: str, files: Mapping[str, Signature]) -> None:
        _git(self._repository, "worktree", "prune", "--expire=now")
        _git(self._repository, "worktree", "add", "--quiet", "--detach", "--no-checkout", str(tree), commit)
        newest = self._newest
        for path, signature in files.items():
            to = tree / path
            to.parent.mkdir(parents=True, exist_ok=True)
            known = newest is not None and newest.has(path, signature)
            if newest is None or not known or not _link(self._work / newest.snapshot.run / "tree" / path, to):
                _copy(self._checkout.root, path, to)
        _git(tree, "--literal-pathspecs", "add", "--force", "--all")


def _link(file: Path, to: Path) -> bool:
    """Whether there was a file to link to."""
    try:
        os.link(file, to, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _copy(root: Path, path: str, to: Path) -> None:
    """Copy one file or link as it is now; nothing, when it has gone or is out of reach without following links."""
    try:
        with folder_of(root, path) as (folder, name):
            mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
            if stat.S_ISLNK(mode):
                os.symlink(os.readlink(name, dir_fd=folder), to)
                return
            # O_NONBLOCK: it may be a pipe by now.
            handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
            with open(handle, "rb") as source, to.open("xb") as target:
                shutil.copyfileobj(source, target)
            to.chmod(stat.S_IMODE(mode) | stat.S_IRUSR | stat.S_IWUSR)
    except (FileNotFoundError, ToolError):
        return


def _git(folder: Path, *args: str) -> bytes:
    """What `git args` prints in `folder`.

    Raises:
        CheckoutUnreadable: it failed.
    """
    command = git_command("-C", str(folder), *args, path=os.environ.get("PATH", os.defpath))
    # In a group of its own: whoever presses ^C asks this process, which ends in good order.
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, process_group=0)
    if done.returncode:
        raise CheckoutUnreadable(f"git in {folder}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
