"""However it ends, nothing is left of a specialist that served alone, nor of what it ran."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.alone.conftest import Alone, children
from tests.cli.conftest import LIMIT_S
from tests.e2e.rig import below, survivors
from tests.e2e.test_leftovers import ENDLESS

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "a pipe", "version": "1"}}


class Pipe:
    """A host that is nothing but its ends of two pipes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def say(self, method: str, params: dict[str, Any], request: int | None = None) -> None:
        """A request, or without `request` a notification."""
        assert self.process.stdin is not None
        numbered = {} if request is None else {"id": request}
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **numbered, "method": method, "params": params}) + "\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """The next message; what is no JSON fails."""
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def meet(self) -> None:
        """The handshake."""
        self.say("initialize", HELLO, 1)
        assert self.hear()["result"]["protocolVersion"] == HELLO["protocolVersion"]
        self.say("notifications/initialized", {})

    def call(self) -> None:
        """Begin a run of the tests, and return while it goes on."""
        self.say("tools/call", {"name": "run", "arguments": {}, "_meta": {"progressToken": "p"}}, 2)
        assert self.hear()["method"] == "notifications/progress"

    def end(self) -> tuple[int, str]:
        """Its exit status, and what it said to people. What else it says to the host has to be protocol."""
        out, err = self.process.communicate(timeout=LIMIT_S)
        for line in out.splitlines():
            json.loads(line)
        return self.process.returncode, err


@contextmanager
def piped(alone: Alone, name: str = "test_runner") -> Generator[Pipe]:
    with subprocess.Popen(
        alone.podium.command(*alone.arguments(name)),
        env=alone.podium.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield Pipe(process)


@pytest.fixture
def endless(alone: Alone) -> Alone:
    """Its second test starts processes in sessions of their own, and never ends."""
    alone.project.write({"stock.py": "", "tests/test_stock.py": "def test_first():\n    pass\n"})
    alone.project.write({"tests/test_ways.py": ENDLESS})
    return alone


@pytest.mark.parametrize(
    ("how", "status"),
    [("hang up", 0), (signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)],
    ids=str,
)
def test_a_host_that_leaves_in_the_middle_of_a_call_leaves_nothing_behind(
    endless: Alone, how: str | signal.Signals, status: int
) -> None:
    """End of input, Ctrl-C, SIGTERM and kill -9: tests under way end, with all they started."""
    others = below(os.getpid())
    with piped(endless) as pipe:
        pipe.meet()
        pipe.call()
        if isinstance(how, signal.Signals):
            pipe.process.send_signal(how)
        code, told = pipe.end()
    assert (code, told) == (status, "")
    if how == signal.SIGKILL:
        assert survivors(others) == {}
    else:  # it waited for them
        assert below(os.getpid()).keys() <= others.keys()
        assert endless.left() == []


def test_what_a_killed_one_left_on_disk_goes_when_the_next_one_starts(alone: Alone) -> None:
    """And only that: a folder whose process lives stays."""
    with piped(alone) as killed:
        killed.meet()
        killed.process.kill()
        killed.end()
    (left,) = alone.left()
    with piped(alone) as first, piped(alone) as second:
        for pipe in (first, second):
            pipe.meet()
        assert len(alone.left()) == 2
        assert left not in alone.left()
        assert (first.end()[0], second.end()[0]) == (0, 0)
    assert alone.left() == []


def test_a_specialist_that_is_killed_ends_the_server_with_an_error(alone: Alone) -> None:
    """The host sees the end of the stream instead of waiting for ever; what the specialist ran ends with it."""
    alone.project.write({"long.txt": f"{'a' * 25}b\n" * 50_000})
    others = below(os.getpid())
    with piped(alone, "repository") as pipe:
        pipe.meet()
        (specialist,) = children(pipe.process.pid)  # before there is git, too, for the snapshot
        pipe.say("tools/call", {"name": "search", "arguments": {"pattern": "(a|aa)+$"}}, 2)
        while not children(specialist):
            continue
        os.kill(specialist, signal.SIGKILL)
        code, _ = pipe.end()
    assert code == 128 + signal.SIGKILL
    assert below(os.getpid()).keys() <= others.keys()
    assert alone.left() == []
