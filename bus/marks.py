"""How far the ledger had come when it was last put down, so that a store which has lost something is found out.

JetStream mends a damaged file by leaving out what it cannot read, and says so to its own log only. The marks lie
beside the store, not in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from pydantic import Field, ValidationError

from bus.bus import Bus
from bus.errors import BusError, InvalidMessage, StoreRefused, Unreadable
from bus.grants import RUNS_CALLER
from bus.provision import ask_jetstream
from bus.roster import LiveRoster
from bus.subjects import chunk, run_event, stream_of
from bus.whole_file import put
from contracts.base import Model
from contracts.ledger import RUNS_STREAM, object_stream, server_stream
from contracts.run import Event, GivenUp, RunPrunedEvent

_NO_SUCH_STREAM = 10059


class LedgerTorn(BusError):
    """The ledger holds less than it did."""


class Mark(Model):
    """What one stream held."""

    last: int
    """Sequence number of the newest message."""
    messages: int
    given_up: int = 0
    """So many more it held, until they were removed on purpose; see `bus.bodies`."""


class Marks(Model):
    """What every stream of the ledger held."""

    streams: dict[str, Mark] = Field(default_factory=dict[str, Mark])


async def take(bus: Bus, servers: Iterable[str], before: Marks) -> Marks:
    """The marks of the ledger as it stands: of `servers`, and of whom `before` knows; `bus` is the operator's.

    Raises:
        BusUnavailable: no answer.
        StoreRefused: the broker cannot say; a stream that is not there is no error, and holds nothing.
    """
    streams: dict[str, Mark] = {}
    given_up = await _given_up(bus)
    ledger = {RUNS_STREAM, *map(server_stream, servers)}
    for stream in sorted({*ledger, *map(object_stream, ledger), *before.streams}):
        said = await ask_jetstream(bus, f"STREAM.INFO.{stream}", {})
        if state := said.get("state"):
            gone = state["last_seq"] - state["messages"]  # what is noted is not gone yet where somebody died over it
            streams[stream] = Mark(
                last=state["last_seq"], messages=state["messages"], given_up=min(given_up[stream], gone)
            )
        elif said["error"].get("err_code") != _NO_SUCH_STREAM:
            raise StoreRefused(stream, f"the broker cannot say what it holds: {said['error']}")
    return Marks(streams=streams)


async def _given_up(bus: Bus) -> Counter[str]:
    """How many messages of each stream were chunks of bodies that the ledger's own notes say were given up."""
    roster, bodies = LiveRoster(bus), dict[tuple[str, str], GivenUp]()
    with suppress(Unreadable):  # what is lost of the notes themselves is counted like all else
        async for kept in bus.history(RUNS_STREAM, run_event("*", "pruned")):
            with suppress(InvalidMessage, ValidationError):
                if await roster.opened(kept.subject, kept.body, kept.headers, kept.stored_at) == RUNS_CALLER:
                    what = Event.model_validate_json(kept.body).what
                    assert isinstance(what, RunPrunedEvent)
                    bodies |= {(body.subject, body.sha256): body for body in what.bodies}
    counts = Counter[str]()
    for body in bodies.values():
        counts[stream_of(chunk(body.subject, body.sha256, 0))] += body.chunks
    return counts


def losses(before: Marks, now: Marks) -> tuple[str, ...]:
    """What is missing now, in words, but for what was given up on purpose."""
    found: list[str] = []
    for stream, was in sorted(before.streams.items()):
        mark = now.streams.get(stream, Mark(last=0, messages=0, given_up=was.given_up))
        missing = was.messages + max(0, mark.last - was.last) - mark.messages - max(0, mark.given_up - was.given_up)
        if missing > 0:
            found.append(f"{stream} lacks {missing} of {was.messages} messages")
    return tuple(found)


def read(file: Path) -> Marks:
    """The marks in `file`; without it, nothing was held.

    Raises:
        LedgerTorn: the file holds something else.
    """
    try:
        return Marks.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return Marks()
    except (ValidationError, OSError) as wrong:
        raise LedgerTorn(f"{file} is damaged, so nobody can say whether the ledger is whole: {wrong}") from wrong


def write(file: Path, marks: Marks) -> None:
    """Put `marks` into `file`, whole or not at all. Only one process at a time may.

    Raises:
        OSError: it cannot be written.
    """
    put(file, marks.model_dump_json().encode())
