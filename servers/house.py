"""The house: one process that holds the broker and the crew, and ends with whoever needs it.

It imports once, forks a process per member, and lets each confine itself. It has no threads and no event
loop, so that it can fork at any time, and it holds no key.

Tree: house → nats-server, one process per member (→ its sandbox keeper → jobs). Everything dies with it.
"""

from __future__ import annotations

import argparse
import fcntl
import gc
import json
import logging
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from bus.broker import BrokerFailed, BrokerUser, EmbeddedBroker
from bus.connect import URL_ENV, identities
from bus.grants import check_calls, permissions
from bus.identity import load_identity
from bus.marks import LedgerTorn
from contracts.failure import Failure
from contracts.keys import KeyMarks
from servers import ledger_upkeep
from servers.crew import CREW_FILE, CrewError, Member, callers, grants, read_crew
from servers.door import Door
from servers.housekeeping import Backoff, Signals, ended, fork, fork_asking, reap
from servers.sandbox import linux
from servers.specialist import tool_names
from servers.throwaway import close_every_scratch

log = logging.getLogger("house")

BUSY = 75
"""Exit status when another house runs here (sysexits' EX_TEMPFAIL)."""

GRACE_S = 0.5
"""How long it stays after the last holder has gone."""

UNCLAIMED_S = 60.0
"""How long it waits for a first holder."""

_READY_S = 60.0
_STOP_S = 5.0
_TICK_S = 0.2


class House:
    """Broker and crew."""

    def __init__(self, options: argparse.Namespace, door: Door) -> None:
        self.state: Path = options.state
        self.unsandboxed: bool = options.unsandboxed
        self.durability = options.durability
        self.members = read_crew(options.crew)
        self.started_at = datetime.now(UTC)
        self.url = os.environ.get(URL_ENV, "")
        self._broker: EmbeddedBroker | None = None
        self._door = door
        self._crew: dict[int, Member] = {}
        self._signals = Signals()
        self._backoff = Backoff()
        self._restart_at: dict[str, float] = {}
        self._ledger_is_whole = False
        self._keys_fd: int = options.keys_fd
        self._marks = self._mark_keys()

    def start(self) -> None:
        """Bring up the broker, then the crew; returns when every member is in the registry.

        Raises:
            BrokerFailed, CrewError, LedgerTorn: with what went wrong.
        """
        public = self._public_keys()
        if not self.url:
            users = {one.name: BrokerUser(public[one.name], permissions(one)) for one in grants(self.members)}
            self._broker = EmbeddedBroker(self.state / "broker", users, self.durability)
            self.url = self._broker.url
        ours = self._broker is not None
        provisioning, answer = fork_asking(
            lambda: ledger_upkeep.set_up(self.state, self.url, grants(self.members), public, ours=ours)
        )
        (self.state / "work").mkdir(exist_ok=True, mode=0o700)
        self._import_everything()  # while the other core provisions
        with os.fdopen(answer) as told:
            losses = told.read()
        if reap(provisioning) != 0:
            raise BrokerFailed(f"the ledger at {self.url} could not be set up; see the log")
        if losses:
            raise LedgerTorn(f"the ledger has lost something since it was last used: {losses}")
        self._ledger_is_whole = True
        ready, done = os.pipe()
        for member in self.members:
            self._fork_member(member, partial(_tell, done))
        os.close(done)
        self._await_ready(ready)
        os.close(ready)

    def _public_keys(self) -> dict[str, str]:
        """Everybody's public key. A child reads the private ones, so that no fork of this process holds them."""
        folder = identities(self.state)
        child, answer = fork_asking(
            lambda: json.dumps({each.name: load_identity(folder, each.name).public for each in grants(self.members)})
        )
        with os.fdopen(answer) as told:
            data = told.read()
        if reap(child) != 0:
            raise CrewError(f"the keys in {folder} cannot be read or made; see the log")
        keys: dict[str, str] = json.loads(data)
        return keys

    def _mark_keys(self) -> KeyMarks:
        """How others tell whether they have the same keys. A child reads these, for the same reason."""
        child, answer = fork_asking(lambda: KeyMarks.of(self._read_keys()).model_dump_json())
        with os.fdopen(answer) as told:
            data = told.read()
        if reap(child) != 0:
            raise CrewError("the keys of model endpoints cannot be read; see the log")
        return KeyMarks.model_validate_json(data)

    def _import_everything(self) -> None:
        import servers.member

        assert servers.member
        tools = {member.name: tool_names(member.load()) for member in self.members}
        if wrong := check_calls(grants(self.members), tools):
            raise CrewError("the crew file: " + "; ".join(wrong))
        gc.collect()
        gc.freeze()  # what is imported stays shared between the forks

    def _fork_member(self, member: Member, tell: Callable[[str], None]) -> None:
        from servers.member import Place, become

        place = Place(self.state, self.url, self.unsandboxed)
        allowed = callers(self.members, member.name)

        def run() -> int:
            self._door.leave()
            return become(member, place, allowed, self._keys_for(member), tell)

        self._crew[fork(run)] = member

    def _keys_for(self, member: Member) -> dict[str, str]:
        """In a fork: the keys of model endpoints, for who may have them; everybody else lets go of them unread."""
        try:
            return self._read_keys() if "net:model" in member.scopes else {}
        finally:
            if self._keys_fd >= 0:
                os.close(self._keys_fd)

    def _read_keys(self) -> dict[str, str]:
        if self._keys_fd < 0:
            return {}
        data = os.pread(self._keys_fd, os.fstat(self._keys_fd).st_size, 0)
        keys: dict[str, str] = json.loads(data)
        return keys

    def _await_ready(self, ready: int) -> None:
        os.set_blocking(ready, False)
        missing, deadline = len(self._crew), time.monotonic() + _READY_S
        while missing:
            over = [self._crew.pop(pid).name for pid in ended(self._crew)]
            with suppress(BlockingIOError):
                told = os.read(ready, 1 << 16).split(b"\n")[:-1]
                missing -= len(told)
                for why_not in filter(None, told):
                    raise CrewError(why_not.decode(errors="replace"))
            for name in over:
                raise CrewError(f"{name} ended while it was starting; see the log")
            if time.monotonic() > deadline:
                raise CrewError(f"{missing} of {len(self._crew)} members were not ready after {_READY_S:.0f} s")
            time.sleep(0.002)

    def run(self) -> None:
        """Answer people and mend the crew until nobody needs the house or it is told to stop."""
        since = time.monotonic()
        while not self._signals.told_to_stop and not self._door.told_down:
            self._door.wait(_TICK_S, self._signals.wake, self.about)
            self._signals.drain()
            self._mend()
            if self._door.wanted:
                since = time.monotonic()
            elif time.monotonic() - since > (GRACE_S if self._door.claimed else UNCLAIMED_S):
                return

    def about(self) -> dict[str, object]:
        """What the house says of itself."""
        return {
            "url": self.url,
            "pid": os.getpid(),
            "keep": self._door.keep,
            "started_at": self.started_at.isoformat(),
            "durability": self.durability,
            "version": version("podium"),
            "unsandboxed": self.unsandboxed,
            "keys": self._marks.model_dump(),
        }

    def _mend(self) -> None:
        """Start again what has died, more slowly each time it dies young."""
        if self._broker is not None and not self._broker.running():
            log.error("the broker died; starting it again")
            self._broker.start()
        now = time.monotonic()
        for pid in ended(self._crew):
            gone = self._crew.pop(pid).name
            self._restart_at[gone] = now + self._backoff.delay(gone)
            log.error("%s died; it starts again in %.1f s", gone, self._restart_at[gone] - now)
        for member in self.members:
            if self._restart_at.get(member.name, now + 1) <= now:
                del self._restart_at[member.name]
                self._fork_member(member, lambda _: None)

    def stop(self) -> None:
        """End the crew, then the broker."""
        for pid in self._crew:
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_S
        while self._crew and time.monotonic() < deadline:
            for pid in ended(self._crew):
                del self._crew[pid]
            time.sleep(0.005)
        for pid in self._crew:
            os.kill(pid, signal.SIGKILL)
            reap(pid)
        if self._broker is not None:
            if self._ledger_is_whole and self._broker.running():
                reap(fork(lambda: ledger_upkeep.put_down(self.state, self.url, grants(self.members))))
            self._broker.stop()
        close_every_scratch(self.state / "scratch")


def _tell(pipe: int, why_not: str) -> None:
    # Fewer bytes than a pipe takes at once, so that no other member's line gets between.
    os.write(pipe, why_not.encode()[: select.PIPE_BUF - 1] + b"\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="servers.house", description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--crew", type=Path, default=CREW_FILE)
    parser.add_argument("--keep", action="store_true", help="stay until told to go down")
    parser.add_argument("--unsandboxed", action="store_true", help="run jobs without confinement where none can be had")
    parser.add_argument("--keys-fd", type=int, default=-1, help="file with the keys of model endpoints, as JSON")
    parser.add_argument("--durability", choices=("process", "disk"), default="process")
    return parser.parse_args()


def main() -> NoReturn:
    """Be the house."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    options.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(options.state / "house.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(BUSY)
    door = Door(options.state, keep=options.keep)
    linux.hide_from_same_user()  # the file with the keys stays open here
    house: House | None = None
    status = 0
    try:
        house = House(options, door)
        house.start()
        house.run()
    except LedgerTorn as wrong:
        log.error("%s", wrong)
        status = 1
        file = ledger_upkeep.marks_file(options.state)
        way_out = f"Put back a copy of {file.parent}, or go on with what is left: rm '{file}'"
        door.refuse(Failure(kind="unavailable", message=str(wrong), way_out=way_out))
    except (BrokerFailed, CrewError) as wrong:
        log.error("%s", wrong)
        status = 1
        door.refuse(Failure(kind="unavailable", message=str(wrong), way_out="Run `podium doctor`."))
    finally:
        if house is not None:
            house.stop()
        door.close()
    sys.exit(status)


if __name__ == "__main__":
    main()
