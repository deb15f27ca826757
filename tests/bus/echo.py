"""A specialist to call: says things back, fails on request, works as long as it is let."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import ClassVar

import anyio

from bus.bus import Bus
from bus.serving import Allows
from contracts.base import Model
from contracts.manifest import Manifest
from servers.approval import Approval
from servers.confine import Held
from servers.runtime import serve
from servers.specialist import Call, Specialist, ToolError, tool


class EchoParams(Model):
    """What to say back."""

    text: str


class EchoResult(Model):
    """The same again, and who asked."""

    text: str
    caller: str
    executions: int


class Echo:
    """Counts its executions in the effect itself."""

    manifest: ClassVar[Manifest] = Manifest(name="echo", title="Echo", description="For tests.")

    def __init__(self) -> None:
        self.executed: list[str] = []
        self.started = anyio.Event()
        self.released = anyio.Event()

    def _did(self, params: EchoParams, call: Call) -> EchoResult:
        self.executed.append(call.id)
        return EchoResult(text=params.text, caller=call.caller, executions=len(self.executed))

    @tool(read_only=True)
    async def say(self, params: EchoParams, call: Call) -> EchoResult:
        """Say it back."""
        return self._did(params, call)

    @tool()
    async def count(self, params: EchoParams, call: Call) -> EchoResult:
        """Count to three aloud, then say it back."""
        for done in (1, 2, 3):
            await call.progress(done, 3, f"at {done}")
        return self._did(params, call)

    @tool()
    async def refuse(self, params: EchoParams, call: Call) -> EchoResult:
        """Fail as a specialist fails."""
        raise ToolError("conflict", f"not {params.text}", retry=True, way_out="Ask again.")

    @tool()
    async def crash(self, params: EchoParams, call: Call) -> EchoResult:
        """Fail as a defect fails."""
        raise RuntimeError(params.text)

    @tool()
    async def wait(self, params: EchoParams, call: Call) -> EchoResult:
        """Begin, and wait to be released."""
        self.started.set()
        await self.released.wait()
        return self._did(params, call)


async def everybody(caller: str, tool: str) -> bool:
    """A grant without limits."""
    return True


@asynccontextmanager
async def served(
    bus: Bus, specialist: Specialist, allows: Allows = everybody, approval: Approval | None = None
) -> AsyncGenerator[anyio.Event]:
    """Serve for as long as the block runs, or until the event it is given is set; no `approval`: none is needed."""
    ready, leave = anyio.Event(), anyio.Event()

    async def run() -> None:
        await serve(
            bus,
            specialist,
            allows,
            granted_scopes=(),
            granted_calls=(),
            held=Held("none"),
            sandbox="",
            ready=ready.set,
            approval=approval,
            leave=leave,
        )

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await ready.wait()
        yield leave
        tasks.cancel_scope.cancel()
