"""The processes that conduct runs for a host."""

from __future__ import annotations

import os
from pathlib import Path

import anyio
import pytest

from contracts.gateway import RunWorkflowParams
from orchestrator.gateway.conducting import Processes
from orchestrator.house import state_dir

NOWHERE = RunWorkflowParams(workflow="fix-bug", repo="/nowhere/to/be", tests=("t",))


async def test_nothing_is_left_of_a_process_that_nobody_waited_for(tmp_path: Path) -> None:
    """When the next one is started, what has ended is cleared out of the system's table."""
    before, processes = children(), Processes(tmp_path, "desk")
    processes.start("r-aaaa", NOWHERE)
    (first,) = children() - before
    with anyio.fail_after(60):
        while "\nState:\tZ" not in Path(f"/proc/{first}/status").read_text():
            await anyio.lowlevel.checkpoint()
    second = processes.start("r-bbbb", NOWHERE)
    assert not Path(f"/proc/{first}").exists()
    await second.wait()
    assert second.has_ended()


async def test_a_run_is_conducted_in_the_environment_of_who_asked_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its very state directory, not in one of that name within it."""
    monkeypatch.setenv("PODIUM_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("PODIUM_ENV", "prod")
    before, state = children(), state_dir()
    process = Processes(state, "desk").start("r-aaaa", NOWHERE)
    (pid,) = children() - before
    for line in Path(f"/proc/{pid}/environ").read_text().split("\0"):
        name, _, value = line.partition("=")
        if name.startswith("PODIUM_"):
            monkeypatch.setenv(name, value)
    assert state_dir() == state == tmp_path / "environments/prod"
    await process.wait()


def children() -> set[int]:
    """The processes that this one started and has not waited for."""
    own = os.getpid()
    return {int(pid) for pid in Path(f"/proc/{own}/task/{own}/children").read_text().split()}
