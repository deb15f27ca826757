"""Cut the power under a busy ledger, again and again, and count what was acknowledged and is gone.

    python -m tests.powercut [--cuts 20] [--seed S] [--durability disk|process] [--json]

Each cut has a disk of its own (`tests/powercut/disk.py`), streams that have just been made and synced, as a house does
it, and twelve writers on three of them. Where no disk can be had, only the broker is killed; the output says so.
Exit status 1: with `disk` something is gone, or with `process` something that was older than `AT_MOST_S`.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import anyio

from bus.broker import Durability, sync_store
from bus.bus import Bus
from bus.caller import new_call_id
from bus.errors import BusError, BusUnavailable
from contracts.base import Model
from contracts.ledger import RUNS_STREAM, server_stream
from tests.bus.rigs import nats_rig
from tests.namespaces import leave_the_mounts
from tests.powercut.disk import Ext4, Power, Processes

AT_MOST_S = 3.0
"""With durability `process`: how old what is lost may be. The broker syncs every second, and a sync takes its time."""

_WRITERS = 4
"""On each stream."""


class Cut(Model):
    """What one cut did."""

    durability: Durability
    after_s: float
    streams_lost: int
    acknowledged: int
    lost: int
    lost_s: float
    """Age of the oldest lost message at the cut, in seconds."""

    @property
    def holds(self) -> bool:
        """Whether that is what the documentation promises."""
        bearable = self.lost == 0 or (self.durability == "process" and self.lost_s <= AT_MOST_S)
        return bearable and self.streams_lost == 0


class Cuts(Model):
    """All of them."""

    disk: str
    cuts: tuple[Cut, ...]


async def _write(bus: Bus, acknowledged: dict[str, float], prefix: str) -> None:
    number = 0
    while True:
        number += 1
        subject = f"{prefix}.{new_call_id()}"
        try:
            await bus.store(subject, random.randbytes(random.randrange(200, 4000)))
        except BusError:
            return  # the cut
        acknowledged[subject] = time.monotonic()


async def _kept(bus: Bus) -> tuple[set[str], int]:
    """What the streams hold, and how many of them are gone."""
    kept, gone = set[str](), 0
    for stream in (RUNS_STREAM, server_stream("echo"), server_stream("other")):
        try:
            kept |= {one.subject async for one in bus.history(stream)}
        except BusUnavailable:
            gone += 1
    return kept, gone


async def _cut(state: Path, power: Power, durability: Durability, after_s: float) -> Cut:
    acknowledged: dict[str, float] = {}
    before: dict[str, float] = {}
    at = 0.0
    async with nats_rig(state, durability=durability) as rig:
        sync_store(state / "broker")
        async with rig.connect("orchestrator") as bus, anyio.create_task_group() as tasks:
            for stream in ("run.r-cut", "call.echo.say.orchestrator", "call.other.say.orchestrator"):
                for _ in range(_WRITERS):
                    tasks.start_soon(_write, bus, acknowledged, stream)
            await anyio.sleep(after_s)
            before |= acknowledged  # what is acknowledged from here on, nobody need have been told
            at = time.monotonic()
            power.cut()
            os.kill(rig.broker.pid, signal.SIGKILL)
            tasks.cancel_scope.cancel()
        rig.broker.stop()
        power.back()
        rig.broker.start()
        async with rig.connect("orchestrator") as bus:
            kept, streams_lost = await _kept(bus)
    gone = before.keys() - kept
    ages = [at - before[subject] for subject in gone]
    return Cut(
        durability=durability,
        after_s=round(after_s, 2),
        streams_lost=streams_lost,
        acknowledged=len(before),
        lost=len(gone),
        lost_s=round(max(ages, default=0), 2),
    )


def _power(folder: Path) -> Power:
    try:
        return Ext4(folder)
    except OSError as wrong:
        sys.stderr.write(f"{wrong}\n")
        return Processes()


def _all(options: argparse.Namespace) -> Cuts:
    chance = random.Random(options.seed)
    name, cuts = "", list[Cut]()
    for number in range(options.cuts):
        with tempfile.TemporaryDirectory(prefix="podium-powercut-") as folder:
            state = Path(folder)
            (state / "broker").mkdir()
            power = _power(state / "broker")
            name = power.name
            after_s = 0.0 if number == 0 else chance.uniform(0.05, 4)
            try:
                cuts.append(anyio.run(_cut, state, power, options.durability, after_s))
            finally:
                power.remove()
        if not options.json:
            sys.stdout.write(f"{cuts[-1]}\n")
    return Cuts(disk=name, cuts=tuple(cuts))


def main() -> int:
    """Cut, and say what was found."""
    parser = argparse.ArgumentParser(prog="tests.powercut", description=__doc__)
    parser.add_argument("--cuts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--durability", choices=("process", "disk"), default="disk")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        leave_the_mounts()
    except OSError as wrong:
        sys.stderr.write(f"{wrong}\n")
    found = _all(options)
    acknowledged, lost = (sum(getattr(cut, what) for cut in found.cuts) for what in ("acknowledged", "lost"))
    if options.json:
        sys.stdout.write(found.model_dump_json() + "\n")
    else:
        sys.stdout.write(f"{found.disk}\nseed {options.seed}: {lost} lost of {acknowledged} acknowledged\n")
    return 0 if all(cut.holds for cut in found.cuts) else 1


if __name__ == "__main__":
    sys.exit(main())
