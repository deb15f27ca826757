"""Runs as resources: listed, read by template, completed, and told of when they change."""

from __future__ import annotations

from typing import Any

import anyio
import mcp_types as types
from mcp import MCPError
from mcp.server.lowlevel.server import Server
from mcp.server.subscriptions import ResourcesListChanged, ResourceUpdated

from bus.bus import Bus, Message
from contracts.run import RunStartedEvent
from orchestrator.errors import Torn, UnknownRun
from orchestrator.gateway.changes import Changes
from orchestrator.gateway.envelope import Context, is_modern
from orchestrator.gateway.projections import JSON, MIME, part_of, run_list
from orchestrator.gateway.uris import PARTS, RUNS, Part, parsed, uri
from orchestrator.runs import list_runs, started
from orchestrator.text import line

LISTED = 50
"""Runs that are listed, the newest; each one can be read."""

_NOT_FOUND_2025 = -32002
"""What revisions before 2026-07-28 say where that one says invalid parameters (specification, resources)."""

_COMPLETED = 100
"""Values of a completion (specification, completion)."""

_TITLES: dict[Part, str] = {
    "": "A run: its steps, its gates, its result",
    "plan": "A run's plan",
    "diff": "What a run changes, or proposes to",
    "tests": "How the tests stand with a run's change",
    "bundle": "What a run hands over, with the evidence",
}


class _NotFound(Exception):
    """There is no such resource; says what there is."""


class Resources:
    """What a host reads of runs, under its own identity."""

    def __init__(self, bus: Bus, changes: Changes) -> None:
        self._bus = bus
        self._changes = changes

    def add_to(self, server: Server[Any]) -> None:
        """Have `server` answer for them."""
        server.add_request_handler("resources/list", types.PaginatedRequestParams, self._list)
        server.add_request_handler("resources/templates/list", types.PaginatedRequestParams, self._templates)
        server.add_request_handler("resources/read", types.ReadResourceRequestParams, self._read)
        server.add_request_handler("resources/subscribe", types.SubscribeRequestParams, self._subscribe)
        server.add_request_handler("resources/unsubscribe", types.UnsubscribeRequestParams, self._unsubscribe)
        server.add_request_handler("completion/complete", types.CompleteRequestParams, self._complete)

    async def tell(self) -> None:
        """Tell whoever wants to know when runs begin and move on, for as long as that is wanted."""
        changed: set[str] = set()
        news = anyio.Event()

        async def heard(message: Message) -> None:
            kind, run, *what = message.subject.split(".")
            changed.update(["", run] if (kind, what) == ("run", ["started"]) else [run])
            news.set()

        async with self._bus.listen("run.>", heard), self._bus.listen("gate.>", heard):
            while True:
                await news.wait()
                news = anyio.Event()
                runs, new = changed - {""}, "" in changed
                changed.clear()
                if new:
                    await self._changes.publish(ResourcesListChanged())
                for place in [RUNS, *(uri(run, part) for run in sorted(runs) for part in PARTS)]:
                    await self._changes.publish(ResourceUpdated(place))

    async def _list(self, ctx: Context, params: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
        listed = [types.Resource(uri=RUNS, name="runs", title="The runs there are", mime_type=JSON)]
        for event in (await started(self._bus))[:LISTED]:
            assert isinstance(event.what, RunStartedEvent)
            task = event.what.task
            told = line(task.request or ", ".join(task.tests), 80)
            listed.append(
                types.Resource(uri=uri(event.run), name=event.run, title=f"{task.workflow}: {told}", mime_type=MIME[""])
            )
        return types.ListResourcesResult(resources=listed)

    async def _templates(
        self, ctx: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        return types.ListResourceTemplatesResult(
            resource_templates=[
                types.ResourceTemplate(
                    uri_template=uri("{id}", part), name=part or "run", title=_TITLES[part], mime_type=MIME[part]
                )
                for part in PARTS
            ]
        )

    async def _complete(self, ctx: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
        """Names of runs, newest first; prompts take nothing that is known here."""
        if getattr(params.ref, "uri", "") not in {uri("{id}", part) for part in PARTS}:
            return types.CompleteResult(completion=types.Completion(values=[]))
        begun, names = params.argument.value, [event.run for event in await started(self._bus)]
        found = [run for run in names if run.startswith(begun) or run.removeprefix("r-").startswith(begun)]
        more = len(found) > _COMPLETED
        return types.CompleteResult(
            completion=types.Completion(values=found[:_COMPLETED], total=len(found), has_more=more)
        )

    async def _read(self, ctx: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        try:
            text, mime = await self._content(params.uri)
        except _NotFound as wrong:
            code = types.INVALID_PARAMS if is_modern(ctx) else _NOT_FOUND_2025
            raise MCPError(code, f"Resource not found: {wrong}", {"uri": params.uri}) from None
        return types.ReadResourceResult(
            contents=[types.TextResourceContents(uri=params.uri, mime_type=mime, text=text)]
        )

    async def _content(self, place: str) -> tuple[str, str]:
        if place == RUNS:
            return run_list(await list_runs(self._bus)).model_dump_json(indent=2), JSON
        found = parsed(place)
        if found is None:
            raise _NotFound(f"there are {RUNS} and, for a run, {', '.join(uri('{id}', part) for part in PARTS)}")
        run, part = found
        try:
            text = await part_of(self._bus, run, part)
        except (UnknownRun, Torn) as wrong:
            raise _NotFound(str(wrong)) from None
        if text is None:
            raise _NotFound(f"run {run} has no {part}, or not yet")
        return text, MIME[part]

    async def _subscribe(self, ctx: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
        self._changes.watch(ctx.session, params.uri)
        return types.EmptyResult()

    async def _unsubscribe(self, ctx: Context, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
        self._changes.unwatch(ctx.session, params.uri)
        return types.EmptyResult()
