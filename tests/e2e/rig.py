"""What is left of Podium after something happened to it, and commands that are stopped on the way."""

from __future__ import annotations

import ctypes
import os
import select
import subprocess
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.cli.conftest import LIMIT_S, TEST, Done, Podium
from tests.git_project import Project

GRACE_S = 60
"""How long what is on its way out is waited for."""
_PR_SET_CHILD_SUBREAPER = 36

waited_for: set[int] = set()
"""Children that somebody else waits for: who reaps them takes their exit status away."""


@contextmanager
def adopting() -> Generator[None]:
    """Orphans of what is started meanwhile become children of this process, wherever they detached to."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 0)


def below(root: int) -> dict[int, str]:
    """Every live process that descends from `root`, with its command line; ended orphans of ours are reaped."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        with suppress(OSError):
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if state == "Z" and int(parent) == os.getpid() and int(folder.name) not in waited_for:
                os.waitpid(int(folder.name), os.WNOHANG)
            elif state != "Z":
                parents[int(folder.name)] = int(parent)
    found: dict[int, str] = {}
    for pid in parents:
        above = pid
        while above in parents and above != root:
            above = parents[above]
        if above == root and pid != root:
            with suppress(OSError):
                found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return found


def survivors(known: Iterable[int] = ()) -> dict[int, str]:
    """Processes of ours that are still there after they had time to end; those `known` may stay."""
    while left := {pid: words for pid, words in below(os.getpid()).items() if pid not in set(known)}:
        pid = next(iter(left))
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            if not select.select([fd], [], [], GRACE_S)[0]:
                return left
        finally:
            os.close(fd)
    return {}


def files_left(podium: Podium) -> list[str]:
    """Worktrees, repository copies and scratch copies below the state directory."""
    state = podium.state
    return sorted(str(path.relative_to(state)) for pattern in ("work/*", "scratch/*/*") for path in state.glob(pattern))


class Going:
    """A command under way, whose standard error is read as it comes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: list[str] = []

    def until(self, words: str) -> None:
        """Wait until a line with `words` was said."""
        assert self.process.stderr is not None
        for line in iter(self.process.stderr.readline, ""):
            self._lines.append(line)
            if words in line:
                return
        raise AssertionError(f"it ended without saying {words!r}: {''.join(self._lines)}")

    def end(self) -> Done:
        """Wait for its end."""
        assert self.process.stderr is not None
        assert self.process.stdout is not None
        self._lines += self.process.stderr
        out = self.process.stdout.read()
        return Done(self.process.wait(LIMIT_S), out, "".join(self._lines))

    def kill(self) -> Done:
        """kill -9."""
        self.process.kill()
        return self.end()


@contextmanager
def going(podium: Podium, *args: str, env: Mapping[str, str] | None = None) -> Generator[Going]:
    """Start a command; whatever happens, it does not outlive the block."""
    with podium.begin(*args, env=env) as process:
        try:
            yield Going(process)
        finally:
            process.kill()


def fixing(project: Project, *more: str, test: str = TEST) -> tuple[str, ...]:
    """The words of `podium run fix-bug --json` on a project."""
    return ("run", "fix-bug", "--repo", str(project.root), "--test", test, "--json", "--consent-weak", *more)


def run_of(podium: Podium) -> str:
    """The newest run."""
    return str(podium("runs", "-n", "1", "--json").document[0]["task"]["run"])


def house_of(podium: Podium) -> int:
    """The house's process."""
    return int(podium("status", "--json").document["house"]["pid"])


def crew_of(podium: Podium) -> dict[str, int]:
    """Process of each member; a card outlives its process for a moment."""
    alive = below(house_of(podium))
    cards = [(card["manifest"]["name"], int(card["pid"])) for card in podium("agents", "--json").document]
    return {name: pid for name, pid in cards if pid in alive}


def calls_of(podium: Podium, run: str) -> list[dict[str, Any]]:
    """Every call of a run, by the auditor."""
    calls: list[dict[str, Any]] = podium("audit", "log", "--run", run, "--kind", "call", "--json").document
    return calls


def tree_of(project: Project, run: str) -> str:
    """The hash of the tree that was handed over."""
    return project.git("rev-parse", f"podium/{run}^{{tree}}").strip()


@contextmanager
def broker_of_its_own(folder: Path, program: str, included: str) -> Generator[tuple[subprocess.Popen[bytes], str]]:
    """A `nats-server` that Podium did not start, with `included` in its configuration; gives process and URL."""
    (folder / "ports").mkdir(parents=True)
    (folder / "podium.json").write_text(included)
    (folder / "nats.conf").write_text(
        f"listen: 127.0.0.1:-1\nports_file_dir: {folder}/ports\njetstream: {{store_dir: {folder}/store}}\n"
        "include ./podium.json\n"
    )
    with subprocess.Popen([program, "-c", str(folder / "nats.conf")], stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr is not None
            said = next(line for line in process.stderr if b"Listening for client connections on" in line)
            yield process, f"nats://{said.split()[-1].decode()}"
        finally:
            process.kill()
