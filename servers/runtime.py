"""Serves a specialist: as an MCP server (the SDK's), on the bus, under its own identity."""

from __future__ import annotations

import os
import secrets
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server

from bus.bus import Bus
from bus.caller import Caller
from bus.errors import BusError, CallFailed
from bus.mcp_sdk import SdkAnswer
from bus.nested import Account
from bus.registry import announced
from bus.serving import Allows, Answer, Incoming, Serving
from bus.subjects import CallSubject
from bus.wire import Correlation, JsonObject, call_request, result_of
from contracts.base import Model, utc_now
from contracts.failure import Failure
from contracts.manifest import Card, Scope, tools_digest
from servers.answering import BusCall, DirectAnswer, Outcome, perform
from servers.approval import Approval
from servers.confine import Held
from servers.specialist import Call, Specialist, Tool, ToolError, tools_of

R = TypeVar("R", bound=Model)


class BusCrew:
    """The other members, reached over the bus; see `servers.specialist.Crew`."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def call(self, tool: str, params: Model, result: type[R], *, parent: Call) -> R:
        """See `Crew.call`."""
        assert isinstance(parent, BusCall), "calls on the bus are made on behalf of calls on the bus"
        server, _, name = tool.partition(".")
        subject = CallSubject(server, name, self._caller.identity, parent.asks(tool, params))
        about = Correlation(parent.run, parent.step, parent.id, trace=parent.trace)
        try:
            with parent.clock.stopped():
                answer = await self._caller.exchange(subject, call_request(subject.call_id, name, params, about))
            parent.was_told(subject.call_id, answer)
            return result_of(server, name, answer, result)
        except CallFailed as failed:
            told = failed.failure
            raise ToolError(
                told.kind, f"{tool}: {told.message}", retry=told.retry, way_out=told.way_out, spent=told.spent
            ) from failed
        except BusError as wrong:
            raise ToolError("unavailable", f"{tool} could not be called: {wrong}", retry=wrong.retry) from wrong


AnswerTool = Callable[[Tool, JsonObject, BusCall], Awaitable[types.CallToolResult]]


async def performed(chosen: Tool, arguments: JsonObject, call: BusCall) -> types.CallToolResult:
    """The result of `servers.answering.perform`, for the SDK."""
    return (await perform(chosen, arguments, call)).sdk_result(call.account)


def mcp_server(
    specialist: Specialist,
    *,
    offered: Iterable[Tool] | None = None,
    answer: AnswerTool = performed,
    instructions: str | None = None,
) -> Server[Any]:
    """The specialist as an SDK server, with exactly the schemas of its contracts, or of the tools `offered` instead."""
    tools = {one.spec.name: one for one in (tools_of(specialist) if offered is None else offered)}
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
            missing = Failure(kind="not_found", message=f"there is no tool {params.name!r}")
            return Outcome.of_failure(missing).sdk_result(Account())
        return await answer(chosen, params.arguments or {}, _call_of(ctx))

    manifest = specialist.manifest
    return Server(
        manifest.name,
        version=manifest.version,
        title=manifest.title,
        description=manifest.description,
        instructions=instructions,
        on_list_tools=on_list_tools,
        on_call_tool=on_call_tool,
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
    if isinstance(ctx.request, Incoming):
        return BusCall.of(ctx.request)

    async def report(done: float, total: float | None, message: str) -> None:
        await ctx.session.report_progress(done, total, message)

    return BusCall.local(report)


def as_it_is(tool: Tool) -> Tool:
    """The tool itself."""
    return tool


async def serve(
    bus: Bus,
    specialist: Specialist,
    allows: Allows,
    *,
    granted_scopes: tuple[Scope, ...],
    granted_calls: tuple[str, ...],
    held: Held,
    sandbox: str,
    ready: Callable[[], None],
    approval: Approval | None = None,
    leave: anyio.Event | None = None,
    around: Callable[[Tool], Tool] = as_it_is,
) -> None:
    """Serve on the bus until cancelled or told to `leave`; `ready` is called once the server is in the registry.

    Without an `approval`, none is needed. `around` gives what answers in a tool's place.
    """
    leave = leave or anyio.Event()
    tools = [around(one) for one in tools_of(specialist)]
    server = mcp_server(specialist, offered=tools)
    answered = 0
    async with anyio.create_task_group() as tasks, server.lifespan(server) as state:
        specs = tuple(one.spec for one in tools)
        answer: Answer = DirectAnswer(
            {one.spec.name: one for one in tools}, specialist.manifest, SdkAnswer(server, state)
        )
        if approval is not None:
            approval.look(specs)
            answer = approval.guarding(answer)

        async def counted(incoming: Incoming) -> bytes:
            nonlocal answered
            answered += 1
            return await answer(incoming)

        await tasks.start(Serving(bus, counted, allows).run, leave)
        card = Card(
            manifest=specialist.manifest.model_copy(update={"name": bus.identity}),
            tools=specs,
            tools_sha256=tools_digest(specs),
            granted_scopes=granted_scopes,
            granted_calls=granted_calls,
            instance=secrets.token_hex(6),
            pid=os.getpid(),
            started_at=utc_now(),
            confinement=held.words,
            weak=held.weak,
            sandbox=sandbox,
            deadlines_s={one.spec.name: None if callable(one.deadline) else one.deadline for one in tools},
            refuses=approval.refuses if approval else "",
        )
        async with announced(bus, card, calls_answered=lambda: answered):
            ready()
            await leave.wait()
