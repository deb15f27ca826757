"""The crew with its real manifests, tools and schemas, whose tools only note that they were reached."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import cast

import anyio
from pydantic import ConfigDict

from bus.grants import SERVE, results_consumer
from bus.memory import MemoryBroker
from contracts.base import Model
from contracts.ledger import server_stream
from servers.confine import Held
from servers.crew_member import load_own
from servers.runtime import serve
from servers.specialist import Call, Specialist, Tool, ToolError
from tests.bus.echo import everybody


class Anything(Model):
    """Parameters that are not looked at."""

    model_config = ConfigDict(extra="ignore")


class Reached:
    """Which tools were."""

    def __init__(self) -> None:
        self._tools = set[str]()

    def noting(self, server: str, tool: Tool) -> Tool:
        """`tool`, which only notes it."""

        async def handler(params: Anything, call: Call) -> Model:
            self._tools.add(f"{server}.{tool.spec.name}")
            raise ToolError("conflict", "reached, and no more")

        return replace(tool, params=Anything, handler=handler, deadline=5.0)

    def take(self, server: str, tool: str) -> bool:
        """Whether it was reached since this was last asked."""
        try:
            self._tools.remove(f"{server}.{tool}")
        except KeyError:
            return False
        return True


@asynccontextmanager
async def standing_in(broker: MemoryBroker, servers: Iterable[str], host: str) -> AsyncGenerator[Reached]:
    """`servers`, which take every call of `host`'s that reaches them."""
    reached = Reached()
    async with anyio.create_task_group() as tasks:
        for server in servers:
            stream, ready = server_stream(server), anyio.Event()
            broker.add_consumer(stream, SERVE, f"call.{server}.>")
            broker.add_consumer(stream, results_consumer(host), f"result.{host}.{server}.>")
            tasks.start_soon(_serve, broker, server, reached, ready)
            await ready.wait()
        yield reached
        tasks.cancel_scope.cancel()


async def _serve(broker: MemoryBroker, server: str, reached: Reached, ready: anyio.Event) -> None:
    await serve(
        broker.connect(server),
        cast("Specialist", load_own(server)),  # the class says all that is asked of it: it is never called
        everybody,
        granted_scopes=(),
        granted_calls=(),
        held=Held("none"),
        sandbox="",
        ready=ready.set,
        around=lambda tool: reached.noting(server, tool),
    )
