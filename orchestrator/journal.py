"""A run's journal: its events in the ledger, read once and then only added to.

What a workflow asked for is found again by its step path, so that parallel branches may come back in
any order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Self

import anyio

from bus.bus import Bus, Expect
from bus.crash import crash_point
from bus.errors import BusUnavailable, Overtaken
from contracts.run import (
    CallFinishedEvent,
    CallIntendedEvent,
    Ending,
    Event,
    GateClosedEvent,
    GateDecidedEvent,
    GateOpenedEvent,
    RunAbortedEvent,
    RunFailedEvent,
    RunHandedOverEvent,
    RunResumedEvent,
    StepFinishedEvent,
    StepStartedEvent,
    ValueRecordedEvent,
    What,
)
from orchestrator.clock import RunClock
from orchestrator.errors import TakenOver, Torn
from orchestrator.seals import Seals, events

OnEvent = Callable[[Event], Awaitable[None]]


class Notes(ABC):
    """What is written down of one run, found again by step path. Where it is kept is the subclass's affair."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.intents: dict[str, CallIntendedEvent] = {}
        self.finishes: dict[str, CallFinishedEvent] = {}
        self.values: dict[str, ValueRecordedEvent] = {}
        self.steps_started: set[str] = set()
        self.steps_finished: set[str] = set()
        self.gate_paths: set[str] = set()
        self.gates_opened: dict[str, Event] = {}
        self.gates_settled: dict[str, GateDecidedEvent | GateClosedEvent] = {}
        self.ending: Ending | None = None

    @property
    def ended(self) -> bool:
        """Whether the run has come to its end."""
        return self.ending is not None

    def take(self, event: Event) -> None:
        """Remember `event`, the next one."""
        self.events.append(event)
        match event.what:
            case CallIntendedEvent() as what:
                self.intents[what.step] = what
            case CallFinishedEvent() as what:
                self.finishes[what.step] = what
            case ValueRecordedEvent() as what:
                self.values[what.step] = what
            case StepStartedEvent() as what:
                self.steps_started.add(what.step)
            case StepFinishedEvent() as what:
                self.steps_finished.add(what.step)
            case GateOpenedEvent() as what:
                self.gate_paths.add(what.step)
                self.gates_opened[what.gate] = event
            case GateDecidedEvent() | GateClosedEvent() as what:
                self.gates_settled[what.gate] = what
            case RunHandedOverEvent() | RunFailedEvent() | RunAbortedEvent() as what:
                self.ending = what
            case _:
                pass

    @abstractmethod
    async def add(self, what: What) -> Event:
        """Write down that `what` happened, as the next event."""

    @abstractmethod
    async def beyond(self, path: str, what: str, sha256: str = "") -> None:
        """The code is about to do `what` under `path`, which is not written down; raises where it may not.

        `sha256` is the digest of what it is about, where there is one.
        """

    @abstractmethod
    async def held(self) -> None:
        """The code is about to do what only who holds the run may; raises where somebody else does."""


class Journal(Notes):
    """A run's events in the ledger. Only one writer can advance it: each write names the event it follows."""

    def __init__(self, bus: Bus, run: str, on_event: OnEvent) -> None:
        super().__init__()
        self._bus = bus
        self._run = run
        self._on_event = on_event
        self._seals = Seals(bus)
        self._lock = anyio.Lock()
        self._clock = RunClock()
        self._seq = 0

    @classmethod
    async def read(cls, bus: Bus, run: str, on_event: OnEvent) -> Self:
        """All that is stored of `run`, which may be nothing; `on_event` gets every event, old and new.

        Raises:
            Torn: an event is missing.
        """
        journal = cls(bus, run, on_event)
        async for seq, event in events(bus, journal._seals, run):
            journal._seq = seq
            if event is not None and event.n != len(journal.events) + 1:
                raise Torn(run, len(journal.events) + 1, event.n)
            if event is not None:
                journal.take(event)
        if journal.events:
            journal._clock.not_before(journal.events[-1].at)
        for event in journal.events:
            await on_event(event)
        return journal

    async def add(self, what: What) -> Event:
        """Store that `what` happened, right after the last event this journal knows.

        Raises:
            TakenOver: somebody else stored an event in between.
            BusUnavailable: the broker is gone and the event is not known to be stored.
        """
        async with self._lock:
            event = Event(run=self._run, n=len(self.events) + 1, at=self._clock.now(), what=what)
            crash_point("event.before_store")
            self._seq = await self._store(event)
            crash_point("event.after_store")
            self.take(event)
        await self._on_event(event)
        return event

    async def beyond(self, path: str, what: str, sha256: str = "") -> None:
        """A run that is going on goes beyond what is written down all the time."""

    async def held(self) -> None:
        """See `Notes.held`.

        Raises:
            TakenOver: somebody else stored an event after the last one that this journal knows.
        """
        async with self._lock:
            await self._catch_up()

    async def _store(self, event: Event) -> int:
        subject, body = f"run.{self._run}.{event.what.event}", event.model_dump_json().encode()
        while True:
            try:
                return await self._bus.store(subject, body, expect=Expect(self._seq, f"run.{self._run}.>"))
            except (Overtaken, BusUnavailable) as error:
                before = self._seq
                # An unacknowledged write may have got through; then what stands there is ours.
                if await self._catch_up(event, error):
                    return self._seq
                if self._seq == before:
                    raise

    async def _catch_up(self, mine: Event | None = None, because: Exception | None = None) -> bool:
        """Pass over what strangers stored behind this journal's last event, up to `mine`; whether that stands there."""
        async for seq, event in events(self._bus, self._seals, self._run, after=self._seq):
            if event is not None and event != mine:
                by = event.what.by if isinstance(event.what, RunResumedEvent) else ""
                raise TakenOver(self._run, by) from because
            self._seq = seq  # never behind another's event: whatever is added after that is refused, too
            if event is not None:
                return True
        return False
