"""Serves a specialist: as an MCP server (the SDK's), on the bus, under its own identity."""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from pydantic import ValidationError

from bus.bus import Bus
from bus.caller import Caller
from bus.errors import BusError, CallFailed
from bus.mcp_sdk import SdkAnswer
from bus.registry import announced
from bus.serving import Allows, Incoming, Serving
from contracts.base import Model, utc_now
from contracts.failure import Failure
from contracts.manifest import Card, Scope
from servers.sandbox.job import SandboxUnavailable
from servers.specialist import Call, Specialist, Tool, ToolError, tools_of

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Model)

_TEXT_BYTES = 16 << 10
"""Structured results up to this size are repeated as text, for hosts that read text only."""


@dataclass
class BusCall:
    """The `Call` a handler sees."""

    id: str
    caller: str
    run: str
    step: str
    _report: Callable[[float, float | None, str], Awaitable[None]]
    _nested: Counter[str] = field(default_factory=Counter[str])

    async def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """See `Call.progress`."""
        await self._report(done, total, message)

    def nested_id(self, tool: str, params: Model) -> str:
        """The id of a call made on behalf of this one.

        Derived from what is asked, so that a redelivered call finds the answers of its own earlier
        calls; as hard to guess as this call's id.
        """
        what = f"{self.id}/{tool}/{params.digest()}"
        self._nested[what] += 1
        return hashlib.sha256(f"{what}/{self._nested[what]}".encode()).hexdigest()[:32]


class BusCrew:
    """The other members, reached over the bus; see `servers.specialist.Crew`."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def call(self, tool: str, params: Model, result: type[R], *, parent: Call) -> R:
        """See `Crew.call`."""
        assert isinstance(parent, BusCall), "calls on the bus are made on behalf of calls on the bus"
        server, _, name = tool.partition(".")
        try:
            return await self._caller.call(
                server,
                name,
                params,
                result,
                call_id=parent.nested_id(tool, params),
                run=parent.run,
                step=parent.step,
                parent=parent.id,
            )
        except CallFailed as failed:
            told = failed.failure
            raise ToolError(told.kind, f"{tool}: {told.message}", retry=told.retry, way_out=told.way_out) from failed
        except BusError as wrong:
            raise ToolError("unavailable", f"{tool} could not be called: {wrong}", retry=wrong.retry) from wrong


def mcp_server(specialist: Specialist) -> Server[Any]:
    """The specialist as an SDK server, with exactly the schemas of its contracts."""
    tools = {one.spec.name: one for one in tools_of(specialist)}
    listed = types.ListToolsResult(tools=[_listed(one) for _, one in sorted(tools.items())])

    async def on_list_tools(
        ctx: ServerRequestContext[Any, Any], params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return listed

    async def on_call_tool(
        ctx: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        chosen = tools.get(params.name)
        if chosen is None:
            return _failed(Failure(kind="not_found", message=f"there is no tool {params.name!r}"))
        return await answer(chosen, params.arguments or {}, _call_of(ctx))

    manifest = specialist.manifest
    return Server(
        manifest.name,
        version=manifest.version,
        title=manifest.title,
        description=manifest.description,
        on_list_tools=on_list_tools,
        on_call_tool=on_call_tool,
    )


async def answer(chosen: Tool, arguments: dict[str, Any], call: BusCall) -> types.CallToolResult:
    """Run one tool; whatever goes wrong becomes a structured failure."""
    try:
        result = await chosen.handler(chosen.params.model_validate(arguments), call)
    except ValidationError as wrong:
        problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in wrong.errors()[:5])
        return _failed(Failure(kind="invalid", message=f"{chosen.spec.name}: {problems}"))
    except ToolError as wrong:
        return _failed(wrong.failure)
    except SandboxUnavailable as wrong:
        return _failed(Failure(kind="unavailable", message=str(wrong), way_out="Run `podium doctor`."))
    except Exception as wrong:
        log.exception("%s failed in a way it should not", chosen.spec.name)
        return _failed(Failure(kind="internal", message=f"a defect in {chosen.spec.name}: {wrong!r}"))
    dumped = result.model_dump_json()
    text = dumped if len(dumped) <= _TEXT_BYTES else f"{len(dumped)} bytes; see the structured content"
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)], structured_content=result.model_dump(mode="json")
    )


def _failed(failure: Failure) -> types.CallToolResult:
    return types.CallToolResult(
        is_error=True,
        content=[types.TextContent(type="text", text=str(failure))],
        structured_content={"failure": failure.model_dump(mode="json")},
    )


def _listed(one: Tool) -> types.Tool:
    spec = one.spec
    return types.Tool(
        name=spec.name,
        title=spec.title,
        description=spec.description,
        input_schema=spec.input_schema,
        output_schema=spec.output_schema,
        annotations=types.ToolAnnotations(
            read_only_hint=spec.read_only,
            destructive_hint=spec.destructive,
            idempotent_hint=spec.idempotent,
            open_world_hint=spec.open_world,
        ),
    )


def _call_of(ctx: ServerRequestContext[Any, Any]) -> BusCall:
    """The call as the bus vouches for it; over stdio there is nobody to vouch and the id is made up."""
    incoming = ctx.request if isinstance(ctx.request, Incoming) else None

    async def report(done: float, total: float | None, message: str) -> None:
        await ctx.session.report_progress(done, total, message)

    if incoming is None:
        return BusCall(secrets.token_hex(16), "host", "", "", report)
    about = incoming.about
    return BusCall(incoming.call_id, incoming.caller, about.run, about.step, report)


async def serve(
    bus: Bus,
    specialist: Specialist,
    allows: Allows,
    *,
    granted_scopes: tuple[Scope, ...],
    granted_calls: tuple[str, ...],
    confinement: str,
    sandbox: str,
    ready: Callable[[], None],
) -> None:
    """Serve on the bus until cancelled; `ready` is called once the server is in the registry."""
    server = mcp_server(specialist)
    answered = 0
    async with anyio.create_task_group() as tasks, server.lifespan(server) as state:
        sdk = SdkAnswer(server, state)

        async def counted(incoming: Incoming) -> bytes:
            nonlocal answered
            answered += 1
            return await sdk(incoming)

        await tasks.start(Serving(bus, counted, allows).run)
        card = Card(
            manifest=specialist.manifest,
            tools=tuple(one.spec for one in tools_of(specialist)),
            granted_scopes=granted_scopes,
            granted_calls=granted_calls,
            instance=secrets.token_hex(6),
            pid=os.getpid(),
            started_at=utc_now(),
            confinement=confinement,
            sandbox=sandbox,
        )
        async with announced(bus, card, calls_answered=lambda: answered):
            ready()
            await anyio.sleep_forever()
