"""The house: one process that holds the broker and the crew, and ends with whoever needs it.

It imports once and forks. It has no threads and no event loop, so that it can fork at any time, and no key.

Tree: house → nats-server, one process per member (→ its sandbox keeper → jobs). Everything dies with it.
"""

from __future__ import annotations

import argparse
import gc
import logging
import math
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bus.account import ACCOUNT_FILE
from bus.broker import BrokerFailed
from bus.cluster import Embedded, embedded, size_of
from bus.connect import URL_ENV
from bus.crash import crash_point
from bus.errors import BusError
from bus.grants import NOTARY, OPERATOR
from bus.marks import LedgerTorn
from contracts.config import Joining
from contracts.failure import Failure
from servers import ledger_upkeep
from servers.crew import Crew, read_crew
from servers.crew_keys import publish_keys, renew_keys
from servers.crew_member import CrewError, Member
from servers.denials import DenialNotes
from servers.door import Door, Reply
from servers.handed_keys import HandedKeys
from servers.housekeeping import Signals, fork, fork_asking, reap
from servers.place import Place
from servers.room import see_to_room
from servers.staff import Seat, Staff, await_ready, hear
from servers.throwaway import close_every_scratch

log = logging.getLogger("house")

GRACE_S = 0.5
"""How long it stays after the last holder has gone."""

UNCLAIMED_S = 60.0
"""How long it waits for a first holder."""

_TICK_S = 0.2
_AGAIN_S = 5.0

_FAILURES = (CrewError, BusError, OSError)
"""What keeps a crew from being settled: what it asks for, the broker, this machine."""


class House:
    """Broker and crew."""

    def __init__(self, options: argparse.Namespace, door: Door) -> None:
        self.state: Path = options.state
        self.durability = options.durability
        self._cluster: int = options.cluster
        self._files: tuple[Path, Path | None] = options.crew, options.own_crew
        self.crew = read_crew(*self._files)
        self.started_at = datetime.now(UTC)
        self._place = Place(self.state, os.environ.get(URL_ENV, ""), options.unsandboxed, options.consent_weak)
        self._store = self.state / "broker"
        self._broker: Embedded | None = None
        self._account = None if self._place.url else self._store / ACCOUNT_FILE
        """Where the broker is told of the crew, if it is ours."""
        self._door = door
        self._staff = Staff(self._be)
        self._notary = Staff(self._be_notary)
        self._public: dict[str, str] = {}
        self._denials = DenialNotes(lambda notes: ledger_upkeep.note_denials(self.state, self._place.url, notes))
        self._signals = Signals()
        self._joined = Counter[Joining]()
        self._settle_at = math.inf
        """When what somebody who left has left behind is to be settled once more."""
        self._ledger_is_whole = False
        self._keys = HandedKeys(options.keys_fd)
        self._marks = self._keys.marks()
        door.watch(self._signals.wake, self._signals.drain)

    def start(self) -> None:
        """Bring up the broker, then the crew; returns when every member of Podium's own is in the registry.

        Raises:
            BrokerFailed, CrewError, LedgerTorn, NoRoom: with what went wrong.
        """
        ours = not self._place.url
        if ours:  # else its users are its administrator's to change
            self._store.mkdir(exist_ok=True, mode=0o700)
            see_to_room(self._store)
            renew_keys(self.state, self.crew)
        public = self._public = publish_keys(self.state, self.crew, self._account)
        self._denials.know(public)
        crash_point("house.before_broker")
        if ours:
            size = size_of(self._store, self._cluster)
            self._broker = embedded(self._store, self.durability, size)
            self._place = replace(self._place, url=self._broker.url)
        crash_point("house.before_ledger")
        provisioning, answer = fork_asking(
            lambda: ledger_upkeep.set_up(self.state, self._place.url, self.crew, public, ours=ours)
        )
        for folder in ("work", "notary"):  # before any sandbox is told what to hide
            (self.state / folder).mkdir(exist_ok=True, mode=0o700)
        self._import_everything()  # while the other core provisions
        with os.fdopen(answer) as told:
            losses = told.read()
        if reap(provisioning) != 0:
            raise BrokerFailed(f"the ledger at {self._place.url} could not be set up; see the log")
        if losses:
            raise LedgerTorn(f"the ledger has lost something since it was last used: {losses}")
        self._ledger_is_whole = True
        crash_point("house.before_crew")
        starting = self._staff.change(self.crew.at_home)
        signing = self._notary.change({NOTARY: Seat(NOTARY, operator=public[OPERATOR])})
        hear({pipe: member for pipe, member in starting.items() if not member.own}, self._door)
        await_ready({pipe: member for pipe, member in starting.items() if member.own} | signing)
        crash_point("house.ready")

    def _import_everything(self) -> None:
        import servers.member
        import servers.notary

        assert servers.member
        assert servers.notary
        self.crew.load_own()
        for wrong in self.crew.unknown():
            log.warning("the crew file: %s", wrong)
        gc.collect()
        gc.freeze()  # what is imported stays shared between the forks

    def _be(self, member: Member, tell: Callable[[str], None]) -> int:
        """In a fork: be this member."""
        from servers.member import become

        self._door.leave()
        return become(member, self._place, self._keys.for_member(member.scopes), tell)

    def _be_notary(self, seat: Seat, tell: Callable[[str], None]) -> int:
        """In a fork: be the notary."""
        from servers.notary import become_notary

        self._door.leave()
        self._keys.for_member(())
        return become_notary(seat, self._place, tell)

    def run(self) -> None:
        """Answer people and mend the crew until nobody needs the house or it is told to stop.

        Raises:
            NoRoom: the ledger can grow no more.
        """
        since = time.monotonic()
        while not self._signals.told_to_stop and not self._door.told_down:
            self._door.wait(_TICK_S, self)
            self._mend()
            if self._door.wanted:
                since = time.monotonic()
            elif time.monotonic() - since > (GRACE_S if self._door.claimed else UNCLAIMED_S):
                return

    def about(self) -> dict[str, object]:
        """What the house says of itself."""
        return {
            "url": self._place.url,
            "pid": os.getpid(),
            "keep": self._door.keep,
            "started_at": self.started_at.isoformat(),
            "durability": self.durability,
            "nodes": [asdict(node) for node in self._broker.nodes] if self._broker else [],
            "version": version("podium"),
            "unsandboxed": self._place.unsandboxed,
            "keys": self._marks.model_dump(),
            "holds": {member.name: (*member.scopes, *member.calls) for member in self.crew.members},
        }

    def admit(self, joining: Joining, reply: Reply) -> bool:
        """Have a server or a host join; `reply` hears once it can call or be called."""
        starting: dict[int, Member] = {}
        if not self._joined[joining]:
            try:
                starting = self._settle(self.crew.admitting(joining))
            except _FAILURES as wrong:
                reply(Failure(kind="conflict", message=str(wrong)))
                return False
        self._joined[joining] += 1
        hear(starting, self._door, reply)
        return True

    def dismiss(self, joining: Joining) -> None:
        """Somebody has left; with the last of several processes of one host, the host."""
        self._joined[joining] -= 1
        if self._joined[joining] == 0:
            if joining.server is not None:
                self._staff.dismiss(joining.name)
            self.crew = self.crew.without(joining)
            self._settle_departure()

    def _settle_departure(self) -> None:
        """They are gone, whatever comes of it: what cannot be settled now is settled later."""
        try:
            hear(self._settle(self.crew), self._door)
        except _FAILURES as wrong:
            self._settle_at = time.monotonic() + _AGAIN_S
            log.error("who has left may still be known; it is tried again in %.0f s: %s", _AGAIN_S, wrong)

    def reload(self, reply: Reply) -> None:
        """Take up what the crew files say now; who has joined stays. `reply` hears once whoever that starts serves."""
        try:
            crew = read_crew(*self._files)
            crew.load_own()
            if wrong := [each for each in crew.unknown() if each not in self.crew.unknown()]:
                raise CrewError("; ".join(wrong))
            for joining in +self._joined:
                crew = crew.joined_by(joining)
            starting = self._settle(crew)
        except _FAILURES as wrong:
            reply(Failure(kind="invalid", message=str(wrong), way_out="The crew goes on as it was."))
        else:
            hear(starting, self._door, reply)

    def _settle(self, crew: Crew) -> dict[int, Member]:
        """Bring broker, ledger and processes to what `crew` is; the pipes of those who were started.

        Raises:
            CrewError, BusError, OSError: it cannot be; the crew is as it was, or will be soon.
        """
        public = publish_keys(self.state, crew, self._account)
        self._settle_at = time.monotonic()  # until it is done: whoever is dismissed is to come back
        renewed = [name for name, key in self._public.items() if public.get(name, key) != key]
        self._staff.dismiss(*renewed)  # while the broker still takes their last answers, under their old keys
        if renewed:
            self._notary.dismiss(NOTARY)  # it signs for what there is by the keys there are
        self._denials.know(public)
        if self._broker is not None:
            self._broker.reload()
        ours = self._broker is not None
        if reap(fork(lambda: ledger_upkeep.extend(self.state, self._place.url, crew, public, ours=ours))) != 0:
            if self._broker is not None:
                publish_keys(self.state, self.crew, self._account)
                self._broker.reload()
            raise CrewError(f"the ledger at {self._place.url} could not be set up for it; see the log")
        await_ready(self._notary.change({NOTARY: Seat(NOTARY, operator=public[OPERATOR])}))
        self.crew, self._public, self._settle_at = crew, public, math.inf
        return self._staff.change(crew.at_home)

    def _mend(self) -> None:
        if self._broker is not None:
            see_to_room(self._store)
            refused = self._broker.refusals()  # which a broker that is started again has forgotten
            for started in self._broker.mend():
                log.error("%s died and was started again", started)
            self._denials.take(refused)
        self._staff.mend()
        self._notary.mend()
        if time.monotonic() > self._settle_at:
            self._settle_departure()

    def stop(self) -> None:
        """End the crew, note what it was refused, then end who signs what it did, then the broker."""
        self._staff.stop()
        if self._broker is not None and self._ledger_is_whole and self._broker.running():
            self._denials.take(self._broker.refusals())
            self._denials.finish()
        self._notary.stop()
        if self._broker is not None:
            if self._ledger_is_whole and self._broker.running():
                reap(fork(lambda: ledger_upkeep.put_down(self.state, self._place.url, self.crew.grants())))
            self._broker.stop()
        close_every_scratch(self.state / "scratch")
