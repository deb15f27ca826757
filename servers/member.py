"""One member's process: forked from the house, it takes its key, confines itself, and serves."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
from anyio.abc import TaskGroup

from bus.background import cause
from bus.caller import open_caller
from bus.connect import CREDENTIALS_ENV
from bus.crash import arm, crash_point
from bus.errors import BusError, BusUnavailable
from bus.granted import LiveGrants
from bus.identity import Identity
from bus.key_file import KeyFileUnusable
from bus.nats_bus import NatsBus, connect_nats
from servers.approval import Approval
from servers.away.mirrors import Mirrors
from servers.bridge.serve import serve_foreign
from servers.confine import Held, NotConfined, confine
from servers.crew_member import CrewError, Member
from servers.handed import handed
from servers.overseer import overseen
from servers.own_ledger import BusLedger
from servers.place import Place
from servers.rights import policy_for, rules_for
from servers.runtime import BusCrew, as_it_is, serve
from servers.sandbox.client import Keeper, KeptSandbox, start_keeper
from servers.sandbox.job import Finished, Job, OnLine, SandboxUnavailable
from servers.specialist import Room, Sandbox
from servers.throwaway import open_scratch
from servers.watchdog import watch

log = logging.getLogger(__name__)


def become(
    member: Member,
    place: Place,
    keys: Mapping[str, str],
    tell: Callable[[str], None],
) -> int:
    """Be `member` until killed; the exit status. Called in a fresh fork of a process without threads.

    `tell` hears an empty text once it serves, or why it cannot.
    """
    work = partial(_become, member, place, keys, tell)
    return overseen(work) if member.command or member.agent else work()


def _become(member: Member, place: Place, keys: Mapping[str, str], tell: Callable[[str], None]) -> int:
    logging.basicConfig(
        level=logging.WARNING, format=f"%(asctime)s {member.name} %(levelname)s %(message)s", force=True
    )
    arm(member.name)
    scratch = open_scratch(place.scratch(member.name))
    try:
        identity = place.identity(member.name)
        keeper = keeper_for(member, place, scratch)
        held_by = confine(rules_for(member, place, scratch, keys, os.environ), consent_weak=place.consent_weak)
        anyio.run(
            partial(_serve, member, place, scratch, identity, keeper, keys, held_by, partial(tell, "")),
            backend_options={"use_uvloop": True},
        )
    except* (BusError, CrewError, KeyFileUnusable, NotConfined, SandboxUnavailable) as wrong:
        log.error("%s", cause(wrong))
        tell(" ".join(str(cause(wrong)).split()))
        sys.exit(1)
    return 0


def keeper_for(member: Member, place: Place, scratch: Path) -> Keeper | None:
    """Its sandbox's keeper, started while this process is still free to; None where it may not run programs."""
    policy = policy_for(member, place, scratch)
    return None if policy is None else start_keeper(policy)


async def _serve(
    member: Member,
    place: Place,
    scratch: Path,
    identity: Identity,
    keeper: Keeper | None,
    keys: Mapping[str, str],
    held_by: Held,
    ready: Callable[[], None],
) -> None:
    async with AsyncExitStack() as opened:
        bus = await opened.enter_async_context(
            connect_nats(place.url, identity, credentials=os.environ.get(CREDENTIALS_ENV))
        )
        allows, leave = LiveGrants(bus).allows, anyio.Event()
        if member.foreign:
            tasks = await opened.enter_async_context(anyio.create_task_group())
            _beside(tasks, bus, leave)
            await serve_foreign(bus, member, scratch, allows, held=held_by, ready=ready, leave=leave)
            tasks.cancel_scope.cancel()
            return
        caller = await opened.enter_async_context(open_caller(bus))
        sandbox, level = await opened.enter_async_context(kept(keeper, end_at_once))
        ledger = BusLedger(bus) if "keys" in handed(member.scopes) else None
        crew, work, around = BusCrew(caller), place.work, as_it_is
        tasks = await opened.enter_async_context(anyio.create_task_group())
        _beside(tasks, bus, leave)
        if place.away and "work:read" in member.scopes:
            mirrors = Mirrors(scratch / "mirrors", crew, place.away.python)
            work, around = mirrors.work, mirrors.around
            tasks.start_soon(mirrors.forget_when_idle)
        crash_point("member.before_serving")
        if keeper is not None:
            tasks.start_soon(end_without, keeper)
        await serve(
            bus,
            member.build(Room(work, scratch, crew, sandbox, ledger, keys)),
            allows,
            granted_scopes=member.scopes,
            granted_calls=member.calls,
            held=held_by,
            sandbox=level,
            ready=ready,
            approval=None if member.own else Approval(member.name, member.pin),
            leave=leave,
            around=around,
        )
        tasks.cancel_scope.cancel()


def _beside(tasks: TaskGroup, bus: NatsBus, leave: anyio.Event) -> None:
    """What goes on beside every member's work."""
    tasks.start_soon(end_with, bus)
    tasks.start_soon(leave_when_told, leave)
    tasks.start_soon(watch)


async def leave_when_told(leave: anyio.Event) -> None:
    """Set `leave` at SIGTERM."""
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            leave.set()


async def end_with(bus: NatsBus) -> None:
    """A member whose connection is over for good ends, so that the house starts it again."""
    await bus.closed()
    raise BusUnavailable("the connection is over")


async def end_without(keeper: Keeper) -> None:
    """A member without its keeper can do nothing, and ends."""
    await anyio.wait_readable(keeper.door)  # it is silent after its hello, so that this is its end
    end_at_once("The sandbox's keeper died.")


def end_at_once(why: str) -> None:
    """End before a failure is answered that is no outcome: the house starts another, and the calls come again."""
    log.error("%s", why)
    os._exit(1)


class _NoSandbox:
    """What a member has that was not granted `sandbox:run`."""

    async def run(self, job: Job, on_line: OnLine | None = None) -> Finished:
        raise SandboxUnavailable("this server was not granted sandbox:run")


@asynccontextmanager
async def kept(
    keeper: Keeper | None, when_lost: Callable[[str], None] = log.error
) -> AsyncGenerator[tuple[Sandbox, str]]:
    """The sandbox that `keeper` serves, and its level; for None one that runs nothing, and no level.

    `when_lost` is `KeptSandbox`'s.

    Raises:
        SandboxUnavailable: no sandbox works here.
    """
    if keeper is None:
        yield _NoSandbox(), ""
        return
    async with KeptSandbox(keeper, when_lost) as kept:
        yield kept, kept.level
