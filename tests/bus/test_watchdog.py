"""A server that neither works nor dies: it is ended, started again, and its call given up in the end."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from bus.caller import new_call_id, open_caller
from bus.errors import CallFailed
from bus.lives import MAX_DEATHS
from tests.bus.echo import EchoParams, EchoResult
from tests.bus.rigs import nats_rig

ROOT = Path(__file__).resolve().parents[2]


async def test_a_blocked_server_writes_its_stack_and_ends_until_the_call_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Be it the event loop that is blocked, or a thread that cannot be cancelled; with real processes."""
    monkeypatch.setattr("bus.provision.ACK_WAIT_S", 0.4)
    async with nats_rig(tmp_path) as nats, nats.connect("orchestrator") as bus, open_caller(bus) as caller:
        command = [sys.executable, "-m", "tests.bus.blocking", str(tmp_path), nats.broker.url]
        process = await anyio.open_process(command, stderr=subprocess.PIPE, cwd=ROOT)
        try:
            for tool in ("wait", "count"):
                with pytest.raises(CallFailed, match=f"given up: echo died {MAX_DEATHS} times"), anyio.fail_after(60):
                    await caller.call("echo", tool, EchoParams(text=""), EchoResult, call_id=new_call_id())
        finally:
            process.kill()
        assert process.stderr is not None
        said = b"".join([chunk async for chunk in process.stderr]).decode()
        assert process.stdout is not None
        ends = b"".join([chunk async for chunk in process.stdout]).decode().split()
        await process.aclose()
    assert ends == ["1"] * 2 * MAX_DEATHS
    assert said.count("Timeout (0:00:02)!") == MAX_DEATHS
    assert len(re.findall(r'blocking.py", line \d+ in wait', said)) == MAX_DEATHS
    assert said.count("count cannot be stopped") == MAX_DEATHS
