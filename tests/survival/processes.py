"""The house of a lane, seen from outside: brought up, killed in part, and what is left when it should be quiet."""

from __future__ import annotations

import json
import os
import select
import signal
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress

import anyio

from bus.bus import Bus
from bus.connect import connect
from bus.errors import BusError
from bus.grants import NOTARY, SERVE
from bus.registry import cards
from contracts.ledger import server_stream
from servers.sandbox import tree
from tests.cli.conftest import Podium
from tests.e2e.rig import below, files_left
from tests.survival.cells import BROKER, HOUSE, KEEPER, WARDEN
from tests.survival.control import Control

END_S = 20.0
"""For what is on its way out."""
SETTLE_S = 60.0
"""For what is delivered again behind the end of a run: a double would come about only then."""
CREW_S = 30.0
"""For the crew to be complete again: who dies young is started again more slowly each time."""
_PROGRAMS = {BROKER: "nats-server", KEEPER: "servers.sandbox.keeper", "of the house": "servers.house"}


class Household:
    """Broker and crew of one state directory, as descendants of this process."""

    def __init__(self, podium: Podium, control: Control) -> None:
        self._podium = podium
        self._control = control
        self._others = set(below(os.getpid()))
        self._whole = Counter[str]()
        self._crew = frozenset[str]()
        self._told = set[str]()
        self._kept = 0
        self.url = ""
        """The broker's."""

    def up(self) -> None:
        """Have a house that stays, with its whole crew."""
        if self._kept not in self._ours():
            done = self._podium("up", "--json")
            assert done.code == 0, done.err
            house = done.document["house"]
            self.url, self._kept = house["url"], int(house["pid"])
        here = anyio.run(self._complete)
        if not self._crew:
            self._crew, self._whole = here, Counter(map(_kind, self._ours().values()))

    def settle(self) -> list[str]:
        """Wait until no call is under way any more, delivered again or not; the servers where one still is."""
        return anyio.run(self._settled)

    def down(self) -> None:
        """End it, if there is one."""
        self._podium("down")

    def kill(self, victim: str, of: str = "") -> set[int]:
        """SIGKILL to a member, the broker, the house, or who guards jobs of member `of`; returns once it has ended.

        With its pid; with nothing where it is not there.
        """
        pid = self.pid(victim, of)
        if pid is None:
            return set()
        with suppress(ProcessLookupError):
            ended = os.pidfd_open(pid)
            os.kill(pid, signal.SIGKILL)
            select.select([ended], [], [], END_S)
            os.close(ended)
        return {pid}

    def outlives(self, pid: int, killed: Iterable[int]) -> bool:
        """Whether process `pid` goes on although these were killed: members end with their house."""
        return pid not in killed and (pid not in self._members() or self._running())

    def left(self) -> list[str]:
        """Files of runs, and processes that are more than broker and crew need; these are given time to end.

        What has been told once is not told again.
        """
        allowed = self._whole if self._running() else Counter[str]()
        deadline = time.monotonic() + END_S
        while (extra := _beyond(self._ours(), allowed)) and time.monotonic() < deadline:
            with suppress(ProcessLookupError):
                ended = os.pidfd_open(next(iter(extra)))
                select.select([ended], [], [], max(0.0, min(1.0, deadline - time.monotonic())))
                os.close(ended)
        unfinished = [str(path.name) for path in (self._podium.state / "bundles").glob(".*.new")]
        new = [each for each in [*extra.values(), *files_left(self._podium), *unfinished] if each not in self._told]
        self._told.update(new)
        return new

    def _ours(self) -> dict[int, str]:
        return {pid: words for pid, words in below(os.getpid()).items() if pid not in self._others}

    def _members(self) -> set[int]:
        return {pid for name, pid in self._control.processes().items() if name in {*self._crew, NOTARY}}

    def pid(self, victim: str, of: str = "") -> int | None:
        """The process of a member, the broker, the house, a keeper or a warden; None where it is not there."""
        if victim == BROKER:
            return next((pid for pid, words in sorted(self._ours().items()) if _PROGRAMS[victim] in words), None)
        if victim in (KEEPER, WARDEN):
            return next(iter(self._guards(victim, of)), None)
        pid = self._control.processes().get(victim)
        return pid if pid in self._ours() else None

    def _guards(self, kind: str, of: str) -> list[int]:
        """Keepers or wardens, which are forks of keepers; those of one member, if it has any."""
        keepers = {pid: tree.parent(pid) for pid, words in sorted(self._ours().items()) if _PROGRAMS[KEEPER] in words}
        guards = [pid for pid, parent in keepers.items() if (parent in keepers) == (kind == WARDEN)]
        member = self.pid(of) if of in self._crew else None
        return [pid for pid in guards if member in (keepers[pid], keepers.get(keepers[pid] or 0))] or guards

    def _running(self) -> bool:
        return self.pid(HOUSE) is not None

    async def _complete(self) -> frozenset[str]:
        """The names of who serves, once everybody does who is to."""
        with anyio.fail_after(CREW_S):
            while True:
                with suppress(BusError):
                    async with connect(self._podium.state, self.url, "auditor") as bus:
                        alive = below(os.getpid())
                        here = frozenset(card.manifest.name for card in await cards(bus) if card.pid in alive)
                        if here and here >= self._crew:
                            return here
                await anyio.sleep(0.1)

    async def _settled(self) -> list[str]:
        busy = list[str]()
        with anyio.move_on_after(SETTLE_S):
            async with connect(self._podium.state, self.url, "operator") as bus:
                while True:
                    busy = [name for name in sorted(self._crew) if await _calls_under_way(bus, name)]
                    if not busy:
                        break
                    await anyio.sleep(0.1)
        return [f"a call to {name} that nobody answers" for name in busy]


async def _calls_under_way(bus: Bus, server: str) -> int:
    """Calls that are stored and not acknowledged."""
    consumer = f"{server_stream(server)}.{SERVE}"
    told = json.loads((await bus.request(f"{bus.control}.API.CONSUMER.INFO.{consumer}", b"")).body)
    return int(told["num_pending"]) + int(told["num_ack_pending"])


def _kind(words: str) -> str:
    return next((kind for kind, program in _PROGRAMS.items() if program in words), words)


def _beyond(processes: dict[int, str], allowed: Counter[str]) -> dict[int, str]:
    """The youngest processes of each kind beyond what is allowed."""
    seen = Counter[str]()
    extra: dict[int, str] = {}
    for pid, words in sorted(processes.items()):
        seen[_kind(words)] += 1
        if seen[_kind(words)] > allowed[_kind(words)]:
            extra[pid] = words
    return extra
