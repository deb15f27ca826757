"""How far the ledger had come when it was last put down, so that a store which has lost something is found out.

JetStream mends a damaged file by leaving out what it cannot read, and says so to its own log only. The marks lie
beside the store, not in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import Field, ValidationError

from bus.bus import Bus
from bus.errors import BusError, StoreRefused
from bus.provision import ask_jetstream
from bus.whole_file import put
from contracts.base import Model
from contracts.ledger import RUNS_STREAM, object_stream, server_stream

_NO_SUCH_STREAM = 10059


class LedgerTorn(BusError):
    """The ledger holds less than it did."""


class Mark(Model):
    """What one stream held."""

    last: int
    """Sequence number of the newest message."""
    messages: int


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
    ledger = {RUNS_STREAM, *map(server_stream, servers)}
    for stream in sorted({*ledger, *map(object_stream, ledger), *before.streams}):
        said = await ask_jetstream(bus, f"STREAM.INFO.{stream}", {})
        if state := said.get("state"):
            streams[stream] = Mark(last=state["last_seq"], messages=state["messages"])
        elif said["error"].get("err_code") != _NO_SUCH_STREAM:
            raise StoreRefused(stream, f"the broker cannot say what it holds: {said['error']}")
    return Marks(streams=streams)


def losses(before: Marks, now: Marks) -> tuple[str, ...]:
    """What is missing now, in words; nothing is ever taken out of the ledger on purpose."""
    found: list[str] = []
    for stream, was in sorted(before.streams.items()):
        mark = now.streams.get(stream, Mark(last=0, messages=0))
        missing = was.messages + max(0, mark.last - was.last) - mark.messages
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
