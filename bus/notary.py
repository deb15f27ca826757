"""The notary: reads all of the ledger and signs how far it had come, so that no part of it can be changed unseen.

It signs a `Checkpoint` whenever something is new, and writes on the condition that nobody has signed another one since;
so of two notaries one goes on from what the other signed, and there is one chain. It can be killed at any moment: what
it had read and not signed is read again.

The newest checkpoint also lies in a file outside the broker's store. Where the store holds less than that, or a message
that was signed for is gone, the next checkpoint says so: a breach. So does a gap of messages that cannot be read. It is
the verifier who fails at either; a ledger that has lost something is still signed from there on.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import anyio
from pydantic import ValidationError

from bus.bus import Bus, Expect, Stored
from bus.chain import START, gap, leaf, link
from bus.crash import crash_point
from bus.envelope import opened
from bus.errors import AlreadyStored, BusError, BusUnavailable, InvalidMessage, Overtaken, Unreadable
from bus.grants import NOTARY, OPERATOR
from bus.provision import ask_jetstream
from bus.roster import Keys
from bus.whole_file import put
from contracts.base import utc_now
from contracts.checkpoint import Chained, Checkpoint, Gap
from contracts.ledger import CHECKPOINT, NOTARY_STREAM, ROSTER_BUCKET, server_stream

log = logging.getLogger(__name__)

_BUDGET_S = 1.0
"""How long it reads a stream at a stretch: what a long one has is signed piece by piece."""


class NoCheckpoint(BusError):
    """What is kept outside the store of how far the ledger was signed is damaged."""


class Notary:
    """One identity's work at the chain. `take_up` comes first, and again after `Overtaken`."""

    def __init__(self, bus: Bus, file: Path, *, public: str, operator: str) -> None:
        """`file` holds the newest checkpoint outside the store; the keys are its own and the operator's."""
        self._bus = bus
        self._file = file
        self._keys = {NOTARY: public, OPERATOR: operator}
        self._newest: Checkpoint | None = None
        self._streams: dict[str, Chained] = {}
        self._unsure = set[str]()
        """Streams whose last signed message has not been seen since `take_up`."""
        self._gaps: list[Gap] = []
        self._breaches: list[str] = []
        self._expect = 0
        self._waits: dict[str, float] = {}

    async def take_up(self) -> None:
        """Go on from the newest checkpoint there is.

        Raises:
            BusUnavailable: nobody can say which that is.
        """
        stands, mine = await self._bus.last(NOTARY_STREAM, CHECKPOINT), None
        self._breaches = []
        self._expect = stands.seq if stands else 0
        if stands is not None:
            mine = self._signed(stands) or await self._newest_signed()
        try:
            known = read(self._file)
        except NoCheckpoint as wrong:
            known = None
            self._breaches.append(str(wrong))
        self._streams = dict(mine.streams) if mine else {}
        self._unsure = set(self._streams)
        self._gaps, self._waits = [], {}
        self._newest = mine
        if known is not None and known.number > (mine.number if mine else 0):
            held = f"checkpoint {mine.number}" if mine else "no checkpoint"
            self._breaches.append(f"checkpoint {known.number} was signed, and the store holds {held}")
            self._newest = known
        for breach in self._breaches:
            log.error("the ledger is not what was signed: %s", breach)

    async def _newest_signed(self) -> Checkpoint | None:
        """The newest checkpoint of this notary's; that somebody else wrote one since is a breach."""
        mine, others = None, 0
        async for kept in self._bus.history(NOTARY_STREAM):
            if (signed := self._signed(kept)) is not None:
                mine, others = signed, 0
            elif _is_one(kept):
                others = kept.seq
        if others:
            self._breaches.append(f"message {others} of {NOTARY_STREAM} is not signed by this notary")
        return mine

    async def round(self) -> bool:
        """Read what is new, and sign it; whether there is more to read at once.

        Raises:
            Overtaken: another notary has signed meanwhile.
            BusError: nothing could be read or stored; what was read is signed the next time.
        """
        names, more = await self._names(), False
        for gone in sorted(self._streams.keys() - set(names)):
            self._breach(gone, "the stream is not there")
        for stream in names:
            more |= await self._read(stream)
        signed = self._newest.streams if self._newest else {}
        if self._streams != signed or self._breaches or self._gaps:
            await self._sign()
        return more

    async def _names(self) -> list[str]:
        said = await ask_jetstream(self._bus, "STREAM.NAMES", {})
        if error := said.get("error"):
            raise BusUnavailable(f"the broker does not say which streams there are: {error}")
        return sorted(name for name in said["streams"] or () if name.startswith(server_stream("")))

    def _breach(self, stream: str, why: str) -> None:
        """What was signed of `stream` is gone; it is chained anew from whatever is there."""
        last = self._streams.pop(stream).last
        self._unsure.discard(stream)
        self._breaches.append(f"{stream} was signed to message {last}: {why}")
        log.error("the ledger is not what was signed: %s", self._breaches[-1])

    async def _read(self, stream: str) -> bool:
        """Chain what is new in `stream`, for a while; whether there is more."""
        begun = anyio.current_time()
        was = self._streams.get(stream, START)
        last, running = was.last, bytes.fromhex(was.hash)
        try:
            async with aclosing(self._fresh(stream, was.last)) as fresh:
                async for kept in fresh:
                    if kept.seq != last + 1:
                        if self._wait_for(stream):
                            return False
                        log.error("%s lacks messages %d to %d", stream, last + 1, kept.seq - 1)
                        self._gaps.append(Gap(stream=stream, first=last + 1, last=kept.seq - 1))
                        running = link(running, gap(stream, last + 1, kept.seq - 1))
                    self._waits.pop(stream, None)
                    last, running = kept.seq, link(running, leaf(kept))
                    if anyio.current_time() - begun > _BUDGET_S:
                        return True
        except Unreadable as wrong:
            log.warning("%s", wrong)  # the next message that can be read shows where
        finally:
            if last != was.last:
                self._streams[stream] = Chained(last=last, hash=running.hex())
        return False

    async def _fresh(self, stream: str, last: int) -> AsyncGenerator[Stored]:
        """The messages behind `last`; after `take_up` it is first seen whether that one is still there."""
        unsure = stream in self._unsure and last > 0
        async with aclosing(self._bus.history(stream, after=last - unsure, whole=False)) as history:
            async for kept in history:
                if unsure and kept.seq == last:
                    unsure = False
                    self._unsure.discard(stream)
                    continue
                if unsure:
                    break
                yield kept
        if unsure:
            self._breach(stream, "that message is not there")

    def _wait_for(self, stream: str) -> bool:
        """Whether a gap may yet close: in a cluster, a reader may be sent on to a replica that has the message."""
        since = self._waits.setdefault(stream, anyio.current_time())
        return anyio.current_time() - since < self._bus.pause_s

    async def _sign(self) -> None:
        newest, now = self._newest, utc_now()
        checkpoint = Checkpoint(
            number=newest.number + 1 if newest else 1,
            previous=newest.digest() if newest else None,
            at=max(now, newest.at) if newest else now,
            streams=dict(sorted(self._streams.items())),
            roster=await self._roster(),
            gaps=tuple(self._gaps),
            breaches=tuple(self._breaches),
        )
        crash_point("sign.before_store")
        while True:
            try:
                expect = Expect(last=self._expect)
                self._expect = await self._bus.store(CHECKPOINT, checkpoint.canonical(), expect=expect)
                break
            except (AlreadyStored, Overtaken):
                if not await self._passes_over():
                    raise Overtaken(CHECKPOINT, self._expect) from None
        self._newest, self._gaps, self._breaches = checkpoint, [], []
        crash_point("sign.after_store")
        try:
            write(self._file, checkpoint)
        except OSError as wrong:
            log.error("checkpoint %d is not kept outside the store: %s", checkpoint.number, wrong)
        crash_point("sign.after_file")

    async def _passes_over(self) -> bool:
        """Whether all that was stored since is no checkpoint of anybody's; it goes on behind that.

        The broker's answer to a member can be sent there, which says nothing and must not keep the notary from signing.
        """
        passed = False
        async for kept in self._bus.history(NOTARY_STREAM, after=self._expect):
            if _is_one(kept):
                return False
            self._expect, passed = kept.seq, True
        return passed

    async def _roster(self) -> dict[str, str]:
        """Public keys as the operator published them; what others may have put there is not among them."""
        found: dict[str, str] = {}
        prefix = f"$KV.{ROSTER_BUCKET}."
        async for kept in self._bus.history(f"KV_{ROSTER_BUCKET}", f"{prefix}>"):
            if self._opened(kept) == OPERATOR and kept.body:
                found[kept.subject.removeprefix(prefix)] = Keys.parse(kept.body).public
        return dict(sorted(found.items()))

    def _signed(self, kept: Stored) -> Checkpoint | None:
        """The checkpoint that a stored message is, where it is one of this notary's."""
        if self._opened(kept) != NOTARY:
            return None
        try:
            return Checkpoint.model_validate_json(kept.body)
        except ValidationError:
            return None

    def _opened(self, kept: Stored) -> str:
        try:
            return opened(kept.subject, kept.body, kept.headers, self._keys)
        except InvalidMessage:
            return ""


def _is_one(kept: Stored) -> bool:
    """Whether a stored message is a checkpoint, whoever wrote it."""
    try:
        Checkpoint.model_validate_json(kept.body)
    except ValidationError:
        return False
    return True


def newest_file(state: Path) -> Path:
    """Where, below a state directory, the newest checkpoint lies outside the broker's store."""
    return state / "notary" / "newest.json"


def read(file: Path) -> Checkpoint | None:
    """The newest checkpoint, as it is kept outside the store; None where there is no file.

    Raises:
        NoCheckpoint: the file holds something else.
    """
    try:
        return Checkpoint.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as wrong:
        raise NoCheckpoint(f"{file.name} is damaged: nobody can say how far the ledger was signed") from wrong


def write(file: Path, checkpoint: Checkpoint) -> None:
    """Put it there, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    put(file, checkpoint.canonical())
