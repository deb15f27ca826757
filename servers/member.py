"""One member's process: forked from the house, it takes its key, confines itself, and serves."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import anyio

from bus.background import cause
from bus.caller import open_caller
from bus.connect import CREDENTIALS_ENV, identities
from bus.crash import arm, crash_point
from bus.errors import BusError, BusUnavailable
from bus.granted import LiveGrants
from bus.identity import Identity, load_identity
from bus.nats_bus import NatsBus, connect_nats
from bus.nats_link import addresses
from contracts.manifest import granted_paths, granted_ports
from servers.approval import Approval
from servers.bridge.program import installation
from servers.bridge.serve import port_of, program_of, serve_foreign
from servers.confine import Confinement, NotConfined, confine
from servers.crew import CrewError, Member
from servers.minds.addresses import endpoint_ports
from servers.overseer import overseen
from servers.own_ledger import BusLedger
from servers.runtime import BusCrew, serve
from servers.sandbox.client import Keeper, KeptSandbox, start_keeper
from servers.sandbox.job import Finished, Job, OnLine, SandboxUnavailable
from servers.sandbox.order import Policy
from servers.specialist import Room, Sandbox
from servers.throwaway import open_scratch

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """Where what members work with is kept."""

    state: Path
    """Keys and ledger."""
    url: str = ""
    """The broker's, or those of several; empty for a member that serves without one."""
    unsandboxed: bool = False
    folder: Path | None = None
    """Where runs' folders and throw-away copies lie; None: with keys and ledger."""

    @property
    def work(self) -> Path:
        """Runs' folders."""
        return (self.folder or self.state) / "work"

    def scratch(self, name: str) -> Path:
        """One member's folder for throw-away copies, see `servers.throwaway`."""
        return (self.folder or self.state) / "scratch" / name

    @property
    def ports(self) -> tuple[int, ...]:
        """The brokers' ports, if there are any; NATS' own where a URL names none."""
        return tuple(urlsplit(one).port or 4222 for one in addresses(self.url))


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
    return overseen(work) if member.command else work()


def _become(member: Member, place: Place, keys: Mapping[str, str], tell: Callable[[str], None]) -> int:
    logging.basicConfig(
        level=logging.WARNING, format=f"%(asctime)s {member.name} %(levelname)s %(message)s", force=True
    )
    arm(member.name)
    scratch = open_scratch(place.scratch(member.name))
    identity = load_identity(identities(place.state), member.name)
    keeper = keeper_for(member, place, scratch)
    try:
        held_by = confine(rules_for(member, place, scratch, keys))
        anyio.run(
            partial(_serve, member, place, scratch, identity, keeper, keys, held_by, partial(tell, "")),
            backend_options={"use_uvloop": True},
        )
    except* (BusError, CrewError, NotConfined, SandboxUnavailable) as wrong:
        log.error("%s", cause(wrong))
        tell(" ".join(str(cause(wrong)).split()))
        sys.exit(1)
    return 0


def keeper_for(member: Member, place: Place, scratch: Path) -> Keeper | None:
    """Its sandbox's keeper, started while this process is still free to; None where it may not run programs."""
    if "sandbox:run" not in member.scopes:
        return None
    home = Path.home()
    private = (identities(place.state), place.state / "broker", *(home / name for name in _SECRETS))
    policy = Policy(
        scratch_root=scratch,
        read_only=(place.work,),
        read_anywhere=True,  # a person's interpreter lies where they keep it
        private=private,
        unsandboxed=place.unsandboxed,
    )
    return start_keeper(policy)


_SECRETS = (".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".netrc", ".config/gcloud", ".config/gh")


def rules_for(member: Member, place: Place, scratch: Path, keys: Mapping[str, str]) -> Confinement:
    """What its own process keeps."""
    read = [Path(sys.prefix), Path(sys.base_prefix), Path(__file__).resolve().parent.parent]
    if "work:read" in member.scopes:
        read.append(place.work)
    if "net:model" in member.scopes or member.url:
        read += [Path(os.environ[name]) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)]
    if member.agent:
        read.append(Path(member.agent))
    if member.command:
        read += installation(program_of(member))
    read += granted_paths(member.scopes, "read")
    write = [scratch, *granted_paths(member.scopes, "write")]
    if "work:write" in member.scopes:
        write.append(place.work)
    return Confinement(
        read=tuple(read),
        write=tuple(write),
        connect_ports=(
            *place.ports,
            *endpoint_ports(keys, os.environ),
            *granted_ports(member.scopes),
            *([port_of(member.url)] if member.url else []),
        ),
        resolve=bool(member.url) or any(scope.startswith("net:") for scope in member.scopes),
        exec=bool(member.command) or any(scope.startswith("work:") for scope in member.scopes),  # git
    )


async def _serve(
    member: Member,
    place: Place,
    scratch: Path,
    identity: Identity,
    keeper: Keeper | None,
    keys: Mapping[str, str],
    held_by: str,
    ready: Callable[[], None],
) -> None:
    async with AsyncExitStack() as opened:
        bus = await opened.enter_async_context(
            connect_nats(place.url, identity, credentials=os.environ.get(CREDENTIALS_ENV))
        )
        allows = LiveGrants(bus).allows
        if member.foreign:
            tasks = await opened.enter_async_context(anyio.create_task_group())
            tasks.start_soon(_end_with, bus)
            await serve_foreign(bus, member, scratch, allows, confinement=held_by, ready=ready)
            return
        caller = await opened.enter_async_context(open_caller(bus))
        sandbox, level = await opened.enter_async_context(kept(keeper))
        ledger = BusLedger(bus) if "net:model" in member.scopes else None
        room = Room(place.work, scratch, BusCrew(caller), sandbox, ledger, keys)
        tasks, leave = await opened.enter_async_context(anyio.create_task_group()), anyio.Event()
        tasks.start_soon(_end_with, bus)
        tasks.start_soon(_leave_when_told, leave)
        crash_point("member.before_serving")
        if keeper is not None:
            tasks.start_soon(end_without, keeper)
        await serve(
            bus,
            member.build(room),
            allows,
            granted_scopes=member.scopes,
            granted_calls=member.calls,
            confinement=held_by,
            sandbox=level,
            ready=ready,
            approval=None if member.own else Approval(member.name, member.pin),
            leave=leave,
        )
        tasks.cancel_scope.cancel()


async def _leave_when_told(leave: anyio.Event) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            leave.set()


async def _end_with(bus: NatsBus) -> None:
    """A member whose connection is over for good ends, so that the house starts it again."""
    await bus.closed()
    raise BusUnavailable("the connection is over")


async def end_without(keeper: Keeper) -> None:
    """A member without its keeper can do nothing.

    It ends at once, before it answers with a failure: the house starts both again, and its calls are delivered again.
    """
    await anyio.wait_readable(keeper.door)  # it is silent after its hello, so that this is its end
    log.error("the sandbox's keeper died")
    os._exit(1)


class _NoSandbox:
    """What a member has that was not granted `sandbox:run`."""

    async def run(self, job: Job, on_line: OnLine | None = None) -> Finished:
        raise SandboxUnavailable("this server was not granted sandbox:run")


@asynccontextmanager
async def kept(keeper: Keeper | None) -> AsyncGenerator[tuple[Sandbox, str]]:
    """The sandbox that `keeper` serves, and its level; for None one that runs nothing, and no level.

    Raises:
        SandboxUnavailable: no sandbox works here.
    """
    if keeper is None:
        yield _NoSandbox(), ""
        return
    async with KeptSandbox(keeper) as kept:
        yield kept, kept.level
