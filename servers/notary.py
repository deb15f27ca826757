"""The notary's process: forked from the house like a member of the crew, and confined to the broker and one folder."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import anyio

from bus.background import cause
from bus.bus import Bus, Message
from bus.connect import CREDENTIALS_ENV, identities
from bus.crash import arm
from bus.errors import BusError, Overtaken
from bus.grants import NOTARY
from bus.identity import Identity, load_identity
from bus.nats_bus import connect_nats
from bus.notary import Notary, newest_file
from contracts.ledger import ENDINGS
from servers.confine import Confinement, NotConfined, confine
from servers.member import end_with, leave_when_told
from servers.place import Place
from servers.staff import Seat

log = logging.getLogger(__name__)

EVERY_S = 1.0
"""How often it looks for news."""
_SETTLE_S = 0.02
"""What is heard may be a moment ahead of what can be read."""
_STANDBY_S = 3.0
"""How long it leaves the ledger to another house's notary who was faster."""


def become_notary(seat: Seat, place: Place, tell: Callable[[str], None]) -> int:
    """Be the notary until told to end; the exit status. Called in a fresh fork of a process without threads.

    `tell` hears an empty text once it is at work, or why it cannot.
    """
    logging.basicConfig(level=logging.WARNING, format=f"%(asctime)s {NOTARY} %(levelname)s %(message)s", force=True)
    arm(NOTARY)
    file = newest_file(place.state)
    file.parent.mkdir(mode=0o700, exist_ok=True)
    identity = load_identity(identities(place.state), NOTARY)
    try:
        confine(rules(place), consent_weak=place.consent_weak)
        anyio.run(
            partial(_work, seat, place.url, identity, file, partial(tell, "")), backend_options={"use_uvloop": True}
        )
    except* (BusError, NotConfined, OSError) as wrong:
        log.error("%s", cause(wrong))
        tell(" ".join(str(cause(wrong)).split()))
        sys.exit(1)
    return 0


def rules(place: Place) -> Confinement:
    """What it may touch: the broker, and where it keeps the newest checkpoint."""
    return Confinement(write=(newest_file(place.state).parent,), connect_ports=place.ports, resolve=place.named)


async def _work(seat: Seat, url: str, identity: Identity, file: Path, ready: Callable[[], None]) -> None:
    async with connect_nats(url, identity, credentials=os.environ.get(CREDENTIALS_ENV)) as bus:
        notary, leave = Notary(bus, file, public=identity.public, operator=seat.operator), anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(end_with, bus)
            tasks.start_soon(leave_when_told, leave)
            await notary.take_up()
            await keep_signing(notary, bus, leave, ready)
            tasks.cancel_scope.cancel()


async def keep_signing(notary: Notary, bus: Bus, leave: anyio.Event, ready: Callable[[], None]) -> None:
    """Sign what is new every second, and at once when a run has ended, until `leave`; then what is new by then."""
    bell = anyio.Event()

    async def ring(message: Message) -> None:
        bell.set()

    async def listen(ending: str) -> None:
        async with bus.listen(f"run.*.{ending}", ring):
            await leave.wait()

    async def to_leave() -> None:
        await leave.wait()
        bell.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(to_leave)
        for ending in ENDINGS:
            tasks.start_soon(listen, ending)
        ready()
        while not leave.is_set():
            pause_s = await _round(notary)
            with anyio.move_on_after(pause_s):
                await bell.wait()
            if bell.is_set() and not leave.is_set():
                bell = anyio.Event()
                await anyio.sleep(_SETTLE_S)
    await _round(notary)


async def _round(notary: Notary) -> float:
    """One round, whatever comes of it; seconds until the next."""
    try:
        return 0 if await notary.round() else EVERY_S
    except Overtaken:
        log.info("another notary was faster")
    except BusError as wrong:
        log.error("nothing is signed for now: %s", wrong)
        return EVERY_S
    try:
        await notary.take_up()
    except BusError as wrong:
        log.error("nothing is signed for now: %s", wrong)
    return _STANDBY_S
