"""The specialist: confined as in a house, it serves its tools on standard input and output."""

from __future__ import annotations

import logging
import os
import socket
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio
import mcp_types as types
from mcp.server.stdio import stdio_server

from bus.wire import JsonObject
from contracts.base import Model
from servers.alone.hidden import filled_in, without
from servers.alone.line import Snapshots
from servers.answering import BusCall, Outcome, perform
from servers.confine import NotConfined, confine
from servers.crew_member import Member
from servers.member import end_without, keeper_for, kept
from servers.place import Place
from servers.rights import rules_for
from servers.runtime import mcp_server
from servers.sandbox.client import Keeper
from servers.sandbox.job import SandboxUnavailable
from servers.specialist import Call, Room, Tool, ToolError, tools_of
from servers.throwaway import open_scratch

R = TypeVar("R", bound=Model)

_RUN = "run"
"""The parameter by which tools are told which tree to work on; here there is one checkout."""

log = logging.getLogger(__name__)


def become(member: Member, place: Place, checkout: Path, line: socket.socket) -> int:
    """Be `member` until the host hangs up; the exit status. Called in a fresh fork of a process without threads."""
    logging.basicConfig(level=logging.WARNING, format=f"{member.name}: %(message)s", force=True)
    scratch = open_scratch(place.scratch(member.name))
    keeper = keeper_for(member, place, scratch)
    status = 0
    try:
        confine(rules_for(member, place, scratch, {}, os.environ), consent_weak=place.consent_weak)
        anyio.run(
            partial(_serve, member, place, scratch, checkout, keeper, Snapshots(line)),
            backend_options={"use_uvloop": True},
        )
    except* (NotConfined, SandboxUnavailable, ToolError) as wrong:
        log.error("%s", wrong.exceptions[0])
        status = 1
    return status


async def _serve(
    member: Member, place: Place, scratch: Path, checkout: Path, keeper: Keeper | None, snapshots: Snapshots
) -> None:
    async with kept(keeper) as (sandbox, level), anyio.create_task_group() as tasks:
        if keeper is not None:
            tasks.start_soon(end_without, keeper)
        specialist = member.build(Room(place.work, scratch, _NobodyElse(), sandbox))
        async with snapshots.now() as first:
            told = instructions(checkout, first.commit, level)
        server = mcp_server(
            specialist,
            offered=[without(one, _RUN) for one in tools_of(specialist)],
            answer=partial(_answer, snapshots),
            instructions=told,
        )
        async with stdio_server() as (reading, writing):
            await server.run(reading, writing, server.create_initialization_options())
        tasks.cancel_scope.cancel()


async def _answer(snapshots: Snapshots, chosen: Tool, arguments: JsonObject, call: BusCall) -> types.CallToolResult:
    try:
        async with snapshots.now() as snapshot:
            outcome = await perform(chosen, filled_in(arguments, _RUN, snapshot.run), call)
    except ToolError as wrong:
        outcome = Outcome.of_failure(wrong.failure)
    return outcome.host_result()


def instructions(checkout: Path, commit: str, sandbox: str) -> str:
    """What a host is told of where the tools work; `sandbox` is its level, empty where there is none."""
    told = (
        f"Works on the git checkout {checkout}, at commit {commit[:12]} when this began. Each call sees the files as"
        " they are at that moment, committed or not, but for ignored ones. They are read, never changed: where a"
        " description speaks of the run's tree, a copy is meant. Paths start at the top of the checkout."
    )
    return f"{told} What a call runs, runs in a sandbox (level: {sandbox})." if sandbox else told


class _NobodyElse:
    """The crew of a member that is alone."""

    async def call(self, tool: str, params: Model, result: type[R], *, parent: Call) -> R:
        raise ToolError("denied", f"{tool} cannot be called: this server is alone")
