"""Starting the house's process, and what it last said when that fails. `orchestrator/house.py` talks to it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from contracts.failure import Failure
from orchestrator import config
from orchestrator.keys import anonymous_file

Durability = Literal["process", "disk"]
"""What an acknowledged write survives: the death of any process, or a power cut too."""

LOG_BYTES = 1 << 20
"""The log is put aside (`house.log.1`) beyond this size."""


class HouseFailed(Exception):
    """The house cannot be had; `failure` says why and what to do."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


@dataclass(frozen=True)
class Manner:
    """How a house is to be started."""

    unsandboxed: bool
    durability: Durability | None
    cluster: int
    """How many brokers are to keep the ledger; 0: as many as do."""
    keys: Mapping[str, str]
    consent_weak: bool
    """Its members start even where the kernel cannot hold them."""


def start_house(state: Path, manner: Manner) -> subprocess.Popen[bytes]:
    """Start the house's process at `state`; that it listens is another matter.

    Raises:
        HouseFailed: the state directory cannot be used.
    """
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _spawn(state, manner)
    except OSError as error:
        raise HouseFailed(
            Failure(
                kind="unavailable",
                message=f"The state directory {state} cannot be used: {error.strerror}.",
                way_out="Make it writable, or set PODIUM_STATE_DIR to a directory that is.",
            )
        ) from error


def _spawn(state: Path, manner: Manner) -> subprocess.Popen[bytes]:
    log = state / "house.log"
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(state / "house.log.1")
    command = [sys.executable, "-m", "servers.house_process", "--state", str(state)]
    command += ["--own-crew", str(config.crew_file())]
    command += ["--unsandboxed"] if manner.unsandboxed else []
    command += ["--consent-weak"] if manner.consent_weak else []
    command += ["--durability", manner.durability] if manner.durability else []
    command += ["--cluster", str(manner.cluster)] if manner.cluster else []
    handed = anonymous_file(manner.keys)
    command += ["--keys-fd", str(handed)]
    # `-m` looks in the working directory first: that must be ours, never the repository a person stands in.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=fd,
            stderr=fd,
            cwd=Path(__file__).resolve().parent.parent,
            env=env,
            pass_fds=(handed,),
            start_new_session=True,
        )
    finally:
        os.close(fd)
        os.close(handed)


def log_tail(state: Path, lines: int = 15) -> str:
    """The last lines of the house's log."""
    try:
        with (state / "house.log").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 16_384))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def did_not_start(state: Path, why: str) -> Failure:
    """That it did not start, `why`, and where to look."""
    tail = log_tail(state)
    said = f" Its last words:\n{tail}" if tail else ""
    return Failure(
        kind="unavailable",
        message=f"Broker and crew did not start: {why}.{said}",
        retry=True,
        way_out=f"`podium doctor` checks this machine; the whole log is {state / 'house.log'}.",
    )
