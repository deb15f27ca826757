"""A provisioned cluster for the crew of `tests/bus/rigs.py`, and the calls that are made while it is hurt."""

from __future__ import annotations

import itertools
import json
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from bus.account import BrokerAccount
from bus.bus import Bus
from bus.caller import new_call_id, open_caller
from bus.connect import connect, identities
from bus.identity import load_identity
from bus.provision import provision
from bus.registry import cards
from bus.replication import held
from contracts.ledger import server_stream
from tests.bus.echo import Echo, EchoParams, EchoResult, served
from tests.bus.rigs import CREW
from tests.cluster.hosts import Host, Hosts, hosts

ECHO = server_stream("echo")
_AT_ONCE = 8


class ClusterRig:
    """Hands out connections by identity, to any broker or to one."""

    def __init__(self, state: Path, found: Hosts) -> None:
        self.state = state
        self.hosts = found

    @asynccontextmanager
    async def connect(self, name: str, host: Host | None = None) -> AsyncGenerator[Bus]:
        """A connection of one of `CREW`: to `host` first, and to the others when it must be left."""
        async with connect(self.state, host.url if host else self.hosts.url, name) as bus:
            yield bus

    async def leader(self, stream: str = ECHO) -> Host:
        """Who leads `stream`, once somebody does."""
        async with self.connect("operator") as bus:
            return self.hosts.named(await leader_of(bus, stream))

    async def have_lead(self, host: Host, stream: str) -> None:
        """Return when `host` leads `stream`, too."""
        wanted = json.dumps({"placement": {"preferred": host.name}}).encode()
        async with self.connect("operator") as bus:
            while await leader_of(bus, stream) != host.name:
                await bus.request(f"{bus.control}.API.STREAM.LEADER.STEPDOWN.{stream}", wanted)
                await anyio.sleep(0.2)

    async def whole(self) -> None:
        """Return when every node has all of the ledger again."""
        async with self.connect("operator") as bus:
            with anyio.fail_after(90):
                while True:
                    found = (await held(bus, [ECHO]))[0]
                    if found.leader and not any(found.behind.values()):
                        return
                    await anyio.sleep(0.1)


async def leader_of(bus: Bus, stream: str) -> str:
    """The name of who leads `stream`, once somebody does."""
    while True:
        if name := (await held(bus, [stream]))[0].leader:
            return name
        await anyio.sleep(0.1)


@asynccontextmanager
async def cluster_rig(state: Path) -> AsyncGenerator[ClusterRig]:
    """A cluster of three with every stream on all of them."""
    every = {grant.name: load_identity(identities(state), grant.name) for grant in CREW}
    keys = {name: identity.public for name, identity in every.items()}
    account = BrokerAccount.of(CREW, every)
    with hosts(state / "hosts", account.configuration()) as found:
        rig = ClusterRig(state, found)
        async with rig.connect("operator") as operator:
            await provision(operator, CREW, keys, replicas=3)
        yield rig


@dataclass
class Tally:
    """What became of the calls that were made meanwhile."""

    answered: int = 0
    lost: int = 0
    """Acknowledged, and not in the ledger."""
    doubled: int = 0
    """In the ledger twice."""
    twice: int = 0
    """Executed twice."""
    unlisted: int = 0
    """How often the server was not in the registry."""
    pauses_s: list[float] = field(default_factory=list[float])
    """For each hurt, the longest time in which no call was answered."""


async def calls_while(rig: ClusterRig, hurt: Callable[[], Awaitable[None]], times: int = 1) -> Tally:
    """Make calls without end while `hurt` happens `times` times, and see what became of all of them."""
    tally, echo, ids = Tally(), Echo(), list[str]()
    ends: list[float] = []
    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus, open_caller(bus) as caller:
        async with served(server, echo):
            stop = anyio.Event()

            async def ask_on() -> None:
                while not stop.is_set():
                    ids.append(new_call_id())
                    answer = await caller.call("echo", "say", EchoParams(text=ids[-1]), EchoResult, call_id=ids[-1])
                    assert answer.caller == "orchestrator"
                    ends.append(time.monotonic())

            async def look_on() -> None:
                while not stop.is_set():
                    tally.unlisted += not await cards(bus)
                    await anyio.sleep(0.2)

            async with anyio.create_task_group() as tasks:
                for one in (look_on, *[ask_on] * _AT_ONCE):
                    tasks.start_soon(one)
                for _ in range(times):
                    await rig.whole()  # it holds out against the loss of one, not of one more meanwhile
                    await _flowing(ends)
                    since = len(ends) - 1
                    await hurt()
                    await _flowing(ends)
                    tally.pauses_s.append(max(b - a for a, b in itertools.pairwise(ends[since:])))
                stop.set()
        await rig.whole()
        kept = Counter([one.subject async for one in bus.history(ECHO)])
    tally.answered = len(ends)
    results = {subject.rpartition(".")[2] for subject in kept if subject.startswith("result.")}
    calls = {subject.rpartition(".")[2] for subject in kept if subject.startswith("call.")}
    tally.lost = len(set(ids) - results) + len(set(ids) - calls)
    tally.doubled = sum(count - 1 for count in kept.values())
    tally.twice = sum(count - 1 for count in Counter(echo.executed).values())
    return tally


async def _flowing(ends: list[float]) -> None:
    """Return when calls are answered, and have been for a moment."""
    enough = len(ends) + 10 * _AT_ONCE
    with anyio.fail_after(90):
        while True:
            if len(ends) >= enough:
                return
            await anyio.sleep(0.05)
