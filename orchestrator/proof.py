"""What proves that a part of the ledger is what it was: its messages in the notary's chain, as lines of a file.

A checkpoint comes first and then the messages that it signs for, so that whoever reads the lines once, holding no
more than the chain's state, can check them (`orchestrator/standalone/verify_ledger.py`). Of a run, they go from the
last checkpoint before its first message to the first one after its last.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from importlib.metadata import version

from pydantic import ValidationError

from bus.bus import Bus, Stored
from bus.chain import START, leaf
from bus.envelope import SEAL
from bus.errors import Unreadable
from contracts.checkpoint import Checkpoint
from contracts.ledger import NOTARY_STREAM
from orchestrator.errors import OrchestratorError
from orchestrator.recording import Recording
from orchestrator.recording_file import Header, Line, Signed, Withheld


class NotSigned(OrchestratorError):
    """The notary has not come so far."""


class RolledBack(OrchestratorError):
    """The store holds less than the notary signed, or something else."""


@dataclass(frozen=True)
class Span:
    """From one checkpoint to another."""

    base: Checkpoint | None
    """What is before it; None: it begins with the first message."""
    base_seq: int
    last: Checkpoint
    last_seq: int
    checkpoints: int
    """How many there are, both ends included."""

    @property
    def lines(self) -> int:
        """How many there are, with the checkpoints."""
        begun = self.base.streams if self.base else {}
        signed = sum(of.last - begun.get(name, START).last for name, of in self.last.streams.items())
        return signed + self.checkpoints


async def signed_run(bus: Bus, recording: Recording) -> Span:
    """From before the first message of a run to behind its last.

    Raises:
        NotSigned: the notary has not signed for all of them.
    """
    firsts: dict[str, int] = {}
    lasts: dict[str, int] = {}
    for kept in recording.messages:
        firsts[kept.stream] = min(kept.seq, firsts.get(kept.stream, kept.seq))
        lasts[kept.stream] = max(kept.seq, lasts.get(kept.stream, kept.seq))
    base, base_seq, count = None, 0, 0
    async for seq, checkpoint in _checkpoints(bus):
        count += 1
        if all(_of(checkpoint, stream) < first for stream, first in firsts.items()):
            base, base_seq, count = checkpoint, seq, 1
        elif all(_of(checkpoint, stream) >= last for stream, last in lasts.items()):
            return Span(base, base_seq, checkpoint, seq, count)
    raise NotSigned(f"the notary has not signed the end of {recording.run} yet; ask again in a second")


async def signed_ledger(bus: Bus, after: int = 0, known: Checkpoint | None = None) -> Span:
    """All that is signed, or all beyond the checkpoint `after`; `known` is one that is kept elsewhere.

    Raises:
        NotSigned: nothing is.
        RolledBack: what is `known` is not there.
    """
    base, base_seq, last, count = None, 0, None, 0
    missing = known
    async for seq, checkpoint in _checkpoints(bus):
        last, count = (seq, checkpoint), count + 1
        if checkpoint.number == after:
            base, base_seq, count = checkpoint, seq, 1
        if checkpoint == known:
            missing = None
    if missing is not None:
        held = f"to checkpoint {last[1].number}" if last else "no checkpoint"
        raise RolledBack(f"checkpoint {missing.number} was signed and is not in the store, which holds {held}")
    if last is None or (after and base is None):
        raise NotSigned(f"there is no checkpoint{f' {after}' if after else ''} in this ledger")
    return Span(base, base_seq, last[1], last[0], count)


async def lines(bus: Bus, span: Span, recording: Recording | None, notary: str) -> AsyncGenerator[str]:
    """A file, line by line: of a recorded run, with what others said withheld; without one, of the whole span.

    `notary` is the public key of who is to have signed it. What cannot be read is not in it, and is missed by whoever
    checks it.
    """
    header = Header(
        run=recording.run if recording else None,
        version=version("podium"),
        roster=span.last.roster,
        messages=span.lines,
        notary=notary,
        after=span.base.number if span.base else None,
    )
    yield header.model_dump_json()
    mine = None if recording is None else {(kept.stream, kept.seq): kept for kept in recording.messages}
    at = dict(span.base.streams) if span.base else {}
    async with AsyncExitStack() as opened:
        streams: dict[str, _Stream] = {}
        async for kept in bus.history(NOTARY_STREAM, after=max(span.base_seq - 1, 0)):
            if (checkpoint := _read(kept)) is None:
                continue  # nobody takes it for one; a checkpoint that it was is missed by the next
            yield Signed(checkpoint=kept.body.decode(), seal=kept.headers.get(SEAL, "")).model_dump_json()
            if kept.seq != span.base_seq:
                for name, to in checkpoint.streams.items():
                    if name not in streams:
                        history = bus.history(name, after=at.get(name, START).last, whole=mine is None)
                        streams[name] = _Stream(await opened.enter_async_context(aclosing(history)))
                    async for each in streams[name].until(to.last):
                        yield _line(each, mine)
            if kept.seq >= span.last_seq:
                break


class _Stream:
    """A stream that is read piece by piece."""

    def __init__(self, history: AsyncIterator[Stored]) -> None:
        self._history = history
        self._ahead: Stored | None = None

    async def until(self, last: int) -> AsyncIterator[Stored]:
        """What comes next, up to message `last`."""
        while (kept := self._ahead or await self._next()) is not None:
            if kept.seq > last:
                self._ahead = kept
                return
            self._ahead = None
            yield kept
            if kept.seq == last:
                return

    async def _next(self) -> Stored | None:
        try:
            return await anext(self._history, None)
        except Unreadable:
            return None


def _line(kept: Stored, mine: Mapping[tuple[str, int], Stored] | None) -> str:
    whole = kept if mine is None else mine.get((kept.stream, kept.seq))
    if whole is None:
        return Withheld(stream=kept.stream, seq=kept.seq, leaf=leaf(kept).hex()).model_dump_json()
    return Line.of(whole).model_dump_json()


async def _checkpoints(bus: Bus) -> AsyncIterator[tuple[int, Checkpoint]]:
    async for kept in bus.history(NOTARY_STREAM):
        if (checkpoint := _read(kept)) is not None:
            yield kept.seq, checkpoint


def _read(kept: Stored) -> Checkpoint | None:
    """A checkpoint, whoever wrote it: whether that was the notary is for the verifier to say."""
    try:
        return Checkpoint.model_validate_json(kept.body)
    except ValidationError:
        return None


def _of(checkpoint: Checkpoint, stream: str) -> int:
    return checkpoint.streams.get(stream, START).last
