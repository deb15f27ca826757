"""One server's calls with their answers, read as they come; what is held is bounded, however many there are.

A call counts when the caller its subject names has sealed it, or when the server answered it all the same (it goes
by the MAC, see docs/decisions/0008); a result when the server has sealed it and the call stands there; of equal
subjects, the first. Anything else in a stream was put there by somebody who may not, and is foreign.

Calls are given in the order they were stored. While an early one waits for its answer, later ones are held, without
their bodies; beyond `HELD` of them the answers that are waited for are looked up.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from types import MappingProxyType

from bus.bus import Bus, Headers, Stored
from bus.claims import CLAIM
from bus.envelope import sender
from bus.errors import InvalidMessage
from bus.subjects import CallSubject
from contracts.base import Sha256
from contracts.ledger import CallRecord, server_stream
from orchestrator.auditing.filters import Filter
from orchestrator.auditing.merging import merged
from orchestrator.auditing.records import answered, asked, ending
from orchestrator.seals import Seals, said_digest

HELD = 2048
"""Calls at most that are held until they can be given."""

_EXPECTED = "Nats-Expected-Last-Subject-Sequence"


@dataclass
class _Held:
    """A call that was read, and what is known of it yet."""

    call: CallSubject
    record: CallRecord | None
    """None: it is not to be given."""
    digest: Sha256
    headers: Headers
    said: bool
    """Whether the text that is looked for was in the call."""
    done: bool = False


class Calls:
    """Reads what a filter takes, from where it stopped the last time."""

    def __init__(
        self,
        bus: Bus,
        server: str,
        wanted: Filter,
        seals: Seals,
        *,
        after: int = 0,
        ordered: bool = True,
        check: bool = True,
        pruned: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`ordered`: as they were stored, else as they are answered. Without `check` it is believed who sealed what.

        `pruned` says of calls whose body was removed, by their subjects, which run they belong to.
        """
        self.after = after
        self.foreign = 0
        """Messages that are; counted only where everything is wanted."""
        self._bus = bus
        self._server = server
        self._stream = server_stream(server)
        self._wanted = wanted
        self._seals = seals
        self._ordered = ordered
        self._check = check
        self._pruned = pruned
        self._counting = wanted.everything and not after and check
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._waiting: dict[str, _Held] = {}
        self._ready: deque[CallRecord] = deque()

    async def read(self) -> AsyncGenerator[CallRecord]:
        """What can be given of all that is stored by now."""
        pattern, until = self._wanted.call_pattern(self._server), self._wanted.until
        if pattern is None:
            return
        patterns = (pattern, self._wanted.result_pattern(self._server))
        if self._counting or patterns == (f"call.{self._server}.*.*.*", f"result.*.{self._server}.*"):
            patterns = (">",)  # what is nearly all, the broker finds the sooner for not having to choose
        since = None if self.after else self._wanted.since
        histories = [self._bus.history(self._stream, each, after=self.after, since=since) for each in patterns]
        async with aclosing(merged(histories, lambda kept: kept.seq)) as messages:
            async for kept in messages:
                if until is not None and kept.stored_at > until:
                    await self._look_up(tuple(self._waiting.values()))
                    break
                await self._take(kept)
                self.after = kept.seq  # what could not be dealt with is read again
                if len(self._held) > HELD:
                    await self._look_up(tuple(self._waiting.values())[: HELD // 2])
                while self._ready:
                    yield self._ready.popleft()
        while self._ready:
            yield self._ready.popleft()

    async def rest(self) -> AsyncGenerator[CallRecord]:
        """What is held: calls that have no answer."""
        for held in tuple(self._waiting.values()):
            await self._leave_open(held)
        while self._ready:
            yield self._ready.popleft()

    async def _take(self, kept: Stored) -> None:
        if kept.subject.startswith("result."):
            fits = await self._answer(kept)
        elif kept.subject.startswith("begun."):  # what a server notes for itself, see `bus.lives`
            fits = not self._counting or await self._by(kept) == self._server
        else:
            fits = await self._call(kept)
        self.foreign += self._counting and not fits

    async def _call(self, kept: Stored) -> bool:
        """Hold a call until it is answered; False where it does not count."""
        try:
            call = CallSubject.parse(kept.subject)
        except InvalidMessage:
            return False
        record = asked(kept, call, self._pruned.get(kept.subject, ""))
        if not self._wanted.asked(record) and not await self._denies_its_run(kept, record):
            return True
        if not _alone(kept):
            if not await self._counts(kept, call.caller):
                return False
            if (other := self._held.get(kept.subject)) is not None:
                self._settle(other, None)
                self.foreign += self._counting
        held = _Held(call, record, said_digest(kept), kept.headers, self._wanted.says(kept.body))
        self._held[kept.subject] = held
        if self._waiting.setdefault(call.result, held) is not held:  # another tool's has that id, too, and the answer
            await self._leave_open(held)
        return True

    async def _answer(self, kept: Stored) -> bool:
        """Give the call that it answers, if that is wanted; False where it is no answer."""
        held = self._waiting.get(kept.subject)
        if held is None or held.record is None:
            return not self._counting or await self._is_late(kept)
        fits = not self._wanted.outcomes or self._wanted.fits(*ending(kept))
        wanted = fits and (held.said or self._wanted.says(kept.body))
        decides = wanted or "open" in self._wanted.outcomes or not _alone(kept)
        if decides and await self._by(kept) != self._server:
            return False
        self._settle(held, await self._signed(held, answered(held.record, kept)) if wanted else None)
        return True

    async def _leave_open(self, held: _Held) -> None:
        """Give a call that has no answer, if its caller sealed it and that is wanted."""
        record = held.record and await self._signed(held, held.record)
        if record is not None and not record.sealed:
            self.foreign += self._counting
            record = None
        self._settle(held, record if record and held.said and self._wanted.ended(record) else None)

    async def _look_up(self, waiting: Sequence[_Held]) -> None:
        """Give calls whose answers were not come across, as they stand now."""
        found = {
            kept.subject: kept for kept in await self._bus.newest(self._stream, [each.call.result for each in waiting])
        }
        for held in waiting:
            kept = found.get(held.call.result)
            if kept is not None and _alone(kept) and CLAIM not in kept.headers:
                await self._answer(kept)
            elif kept is not None:
                async with aclosing(self._bus.history(self._stream, kept.subject)) as one_by_one:
                    async for each in one_by_one:
                        if not held.done:
                            await self._answer(each)
            if not held.done:
                await self._leave_open(held)

    def _settle(self, held: _Held, record: CallRecord | None) -> None:
        held.record, held.done = record, True
        if self._waiting.get(held.call.result) is held:
            del self._waiting[held.call.result]
        if not self._ordered:
            del self._held[str(held.call)]
            if record is not None:
                self._ready.append(record)
        while self._held and (first := next(iter(self._held.values()))).done:
            self._held.popitem(last=False)
            if first.record is not None:
                self._ready.append(first.record)

    async def _signed(self, held: _Held, record: CallRecord) -> CallRecord:
        """The record, which says whether the call's caller has sealed it."""
        by, at = sender(held.headers), record.called_at
        if self._check:
            by = await self._seals.sealed(str(held.call), held.digest, held.headers, at)
        return record if by == held.call.caller else record.model_copy(update={"sealed": False})

    async def _denies_its_run(self, kept: Stored, record: CallRecord) -> bool:
        """Whether only its own word says that it is of another run: that of a call nobody sealed proves nothing."""
        wanted = replace(self._wanted, run="")
        return bool(self._wanted.run) and wanted.asked(record) and await self._by(kept) != record.caller

    async def _by(self, kept: Stored) -> str:
        return await self._seals.vouched_by(kept) if self._check else sender(kept.headers)

    async def _counts(self, kept: Stored, caller: str) -> bool:
        """Whether it is the one that counts of the calls on its subject: the first that is sealed, else the first."""
        first = 0
        async with aclosing(self._bus.history(self._stream, kept.subject)) as others:
            async for other in others:
                if await self._by(other) == caller:
                    return other.seq == kept.seq
                first = first or other.seq
        return first == kept.seq

    async def _is_late(self, kept: Stored) -> bool:
        """Whether it is the answer to a call that was given before it was come across."""
        _, caller, server, call_id = kept.subject.split(".")
        if await self._by(kept) != server or not await self._first(f"call.{server}.*.{caller}.{call_id}"):
            return False
        return _alone(kept) or await self._first(kept.subject) == kept.seq

    async def _first(self, pattern: str) -> int:
        async with aclosing(self._bus.history(self._stream, pattern)) as found:
            async for each in found:
                return each.seq
        return 0


def _alone(kept: Stored) -> bool:
    """Whether the broker has seen that nothing else stood on its subject when it was stored."""
    return kept.headers.get(_EXPECTED) == "0" and f"{_EXPECTED}-Subject" not in kept.headers
