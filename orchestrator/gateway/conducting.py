"""The processes that conduct runs for a host. Each is a `podium` of its own, so that a run outlives whoever began it.

The gateway speaks for a host and may not write what a run does. It starts `podium run` and `podium resume`, which
have an identity that may, as a person would in a terminal; nobody sits there, so they stop at gates.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import anyio
from pydantic import ValidationError

from contracts.failure import Failure
from contracts.gateway import RunWorkflowParams
from orchestrator.environment import ENVIRONMENT_ENV

_TAIL_BYTES = 8 << 10
_LOST = -256
"""In place of an exit status that nobody knows."""
_AS_IT_SHOULD = (0, 3, 4, 5)
"""Exit codes that say how a run stands. 1 may also say that it was not conducted at all."""
_COMMANDS = {"fix-report": "fix-bug"}
"""Where a workflow's command has another name."""


class Conductor(Protocol):
    """Somebody who conducts a run."""

    @property
    def took_up(self) -> str:
        """The settled gate behind which it was to go on; "" where it began the run."""
        ...

    async def wait(self) -> None:
        """Until it has ended."""
        ...

    def has_ended(self) -> bool:
        """Whether it has."""
        ...

    def failure(self) -> Failure | None:
        """Why it has ended; None where it should: the run has ended, or waits at a gate."""
        ...


class Conducting(Protocol):
    """Has runs conducted, and knows who was started here."""

    def start(self, run: str, asked: RunWorkflowParams) -> Conductor:
        """Have a new run conducted.

        Raises:
            OSError: nobody can be started.
        """
        ...

    def resume(self, run: str, gate: str) -> Conductor:
        """Have a run conducted that stands still at a gate which is decided, or has expired; raises as `start`."""
        ...

    def of(self, run: str) -> Conductor | None:
        """Who was started last for `run`, whether it has ended or not."""
        ...

    def forget(self, run: str) -> None:
        """What became of it is settled."""
        ...


class Process:
    """A `podium` that conducts a run."""

    def __init__(self, pid: int, log: Path, begun_at: int, took_up: str) -> None:
        self.took_up = took_up
        self._pid = pid
        self._pidfd = os.pidfd_open(pid)
        self._log = log
        self._begun_at = begun_at
        self._status = _LOST

    async def wait(self) -> None:
        """See `Conductor.wait`."""
        if not self.has_ended():
            await anyio.wait_readable(self._pidfd)

    def has_ended(self) -> bool:
        """See `Conductor.has_ended`; what is left of it in the system's table is cleared away."""
        if self._pidfd >= 0:
            with suppress(ChildProcessError):  # whoever waits for any child of this process was first
                pid, status = os.waitpid(self._pid, os.WNOHANG)
                if pid == 0:
                    return False
                self._status = os.waitstatus_to_exitcode(status)
            os.close(self._pidfd)
            self._pidfd = -1
        return True

    def failure(self) -> Failure | None:
        """See `Conductor.failure`: what it printed last."""
        if self._status in _AS_IT_SHOULD:
            return None
        with self._log.open("rb") as log:
            log.seek(max(self._begun_at, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
        try:
            return Failure.model_validate(json.loads(lines[-1])["error"])
        except (IndexError, ValueError, KeyError, TypeError, ValidationError):
            said = "\n".join(lines[-5:]) or "It said nothing."
            return Failure(kind="unavailable", message=f"The process that conducts the run ended. {said}", retry=True)


class Processes:
    """Conductors as processes; what each was given and said lies in `STATE/hosted/RUN`."""

    def __init__(self, state: Path, host: str) -> None:
        self._state = state
        self._host = host
        self._processes: dict[str, Process] = {}

    def start(self, run: str, asked: RunWorkflowParams) -> Process:
        """See `Conducting.start`."""
        folder = self._folder(run)
        files: list[str] = []
        for option, text in (("ticket", asked.request), ("criteria", "\n".join(f"- {one}" for one in asked.criteria))):
            if text:
                (folder / f"{option}.md").write_text(text, encoding="utf-8")
                files.append(f"--{option}={folder / f'{option}.md'}")
        return self._spawn(run, ["run", *words(asked), *files, f"--run={run}", f"--via={self._host}", "--json"])

    def resume(self, run: str, gate: str) -> Process:
        """See `Conducting.resume`."""
        return self._spawn(run, ["resume", run, "--json"], gate)

    def of(self, run: str) -> Process | None:
        """See `Conducting.of`."""
        return self._processes.get(run)

    def forget(self, run: str) -> None:
        """See `Conducting.forget`."""
        self._processes.pop(run, None)

    def _folder(self, run: str) -> Path:
        folder = self._state / "hosted" / run
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def _spawn(self, run: str, args: list[str], took_up: str = "") -> Process:
        log = self._folder(run) / "log"
        fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            begun_at = os.fstat(fd).st_size
            pid = os.posix_spawn(
                sys.executable,
                # -P: not what lies in the folder a host was started in
                [sys.executable, "-P", "-m", "orchestrator.cli.main", *args],
                {**os.environ, "PODIUM_STATE_DIR": str(self._state), ENVIRONMENT_ENV: ""},  # it is that one's already
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, nothing, 0),
                    (os.POSIX_SPAWN_DUP2, fd, 1),
                    (os.POSIX_SPAWN_DUP2, fd, 2),
                ],
                setsid=True,
            )
        finally:
            os.close(fd)
            os.close(nothing)
        for other in self._processes.values():
            other.has_ended()  # so that what nobody waited for is cleared away
        self._processes[run] = process = Process(pid, log, begun_at, took_up)
        return process


def words(asked: RunWorkflowParams) -> list[str]:
    """The command line after `podium run`, but for what is handed over in files; nothing asked for is an option."""
    given = {
        "repo": asked.repo,
        "base": asked.base,
        "engine": asked.engine if asked.workflow == "fix-bug" else None,
        "budget-usd": asked.budget_usd,
        "budget-tokens": asked.budget_tokens,
    }
    many = {"test": asked.tests, "avoid": asked.avoid}
    return [
        _COMMANDS.get(asked.workflow, asked.workflow),
        *(f"--{name}={value}" for name, value in given.items() if value is not None),
        *(f"--{name}={value}" for name, values in many.items() for value in values),
    ]
