"""What stands in for the world in a replay: calls, journal and checkout that hold what is recorded, no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from bus.bus import Stored
from bus.caller import OnProgress
from bus.wire import result_of
from contracts.base import Model
from contracts.run import (
    CallIntendedEvent,
    Event,
    GateOpenedEvent,
    RunAbortedEvent,
    RunFailedEvent,
    RunHandedOverEvent,
    StepFinishedEvent,
    StepStartedEvent,
    What,
)
from contracts.task import Task
from orchestrator.errors import CouldNot, Diverged, OrchestratorError, OverBudget
from orchestrator.journal import Notes
from orchestrator.ports import Delivered, TakenIn

R = TypeVar("R", bound=Model)


class RecordingEnds(OrchestratorError):
    """The code wants something that is not recorded."""

    def __init__(self, path: str, what: str, sha256: str = "") -> None:
        """`sha256` is the digest of what it wants, where there is one."""
        super().__init__(f"nothing is recorded at {path}, where {what} is asked for")
        self.path = path
        self.what = what
        self.sha256 = sha256


class RecordedCalls:
    """`Calls` that are answered from a recording; nobody is asked."""

    def __init__(self, answers: Mapping[str, Stored], run: str) -> None:
        self._answers = answers
        self._run = run
        self.made: set[str] = set()
        """Ids of the calls that were answered."""

    async def call(
        self,
        server: str,
        tool: str,
        params: Model,
        result: type[R],
        *,
        call_id: str,
        run: str,
        step: str,
        on_progress: OnProgress | None = None,
    ) -> R:
        """See `Calls.call`."""
        kept = self._answers.get(call_id)
        if kept is None:
            raise RecordingEnds(step, f"the answer of {server}.{tool}")
        self.made.add(call_id)
        return result_of(server, tool, kept.body, result)


class RecordedJournal(Notes):
    """A journal that nothing can be added to: what is added must stand there already."""

    def __init__(self, run: str, events: Sequence[Event]) -> None:
        super().__init__()
        self._run = run
        for event in events:
            self.take(event)
        self._steps = {
            (type(event.what), event.what.step): event
            for event in events
            if isinstance(event.what, StepStartedEvent | StepFinishedEvent)
        }
        # The engine writes down a step that it does not find here; so each is compared with what is recorded.
        self.steps_started, self.steps_finished = set[str](), set[str]()

    async def add(self, what: What) -> Event:
        """The recorded event of this place.

        Raises:
            Diverged: it says something else.
            RecordingEnds: there is none.
        """
        if not isinstance(what, StepStartedEvent | StepFinishedEvent):
            raise RecordingEnds(str(getattr(what, "step", what.event)), what.event, what.digest())
        recorded = self._steps.get((type(what), what.step))
        if recorded is None:
            raise RecordingEnds(what.step, said(what), what.digest())
        if recorded.what != what:
            raise otherwise(self._run, what.step, recorded.what, what)
        (self.steps_started if isinstance(what, StepStartedEvent) else self.steps_finished).add(what.step)
        return recorded

    async def beyond(self, path: str, what: str, sha256: str = "") -> None:
        """See `Notes.beyond`: the step may have failed here then, and fails again; else the recording ends."""
        ending = self.ending
        failed = [
            step.what.summary
            for step in self._steps.values()
            if isinstance(step.what, StepFinishedEvent) and not step.what.ok and path.startswith(f"{step.what.step}/")
        ]
        if isinstance(ending, RunFailedEvent) and f"{ending.reason} {ending.way_out}".rstrip() in failed:
            raise (OverBudget if ending.over_budget else CouldNot)(ending.reason, ending.way_out)
        raise RecordingEnds(path, what, sha256)

    async def held(self) -> None:
        """Nobody else is there."""

    def check_all_done(self, answered: set[str], edge: RecordingEnds | None = None) -> None:
        """See that everything recorded was done again; `answered` are ids of calls, `edge` is where the code stopped.

        Raises:
            Diverged: something was not.
        """
        now, digest = (f"{edge.what} at {edge.path}", edge.sha256) if edge else ("nothing", "")
        for event in self.events:
            match event.what:
                case StepStartedEvent() as what if what.step not in self.steps_started:
                    raise Diverged(self._run, what.step, said(what), now, (what.digest(), digest))
                case StepFinishedEvent() as what if what.step not in self.steps_finished:
                    raise Diverged(self._run, what.step, said(what), now, (what.digest(), digest))
                case CallIntendedEvent() as what if what.step in self.finishes and what.call_id not in answered:
                    raise Diverged(self._run, what.step, said(what), now, (what.params_sha256, digest))
                case _:
                    pass


class Nobody:
    """Watches nothing."""

    async def on_event(self, event: Event) -> None:
        """See `Observer.on_event`."""

    async def on_progress(self, step: str, done: float, total: float | None, message: str) -> None:
        """See `Observer.on_progress`."""


class NoCheckout:
    """No repository: what was read from it is recorded, and nothing may be delivered."""

    async def take_in(self, task: Task) -> TakenIn:
        """See `Checkout.take_in`."""
        raise RecordingEnds("ingest/taken", "the repository")

    async def deliver(self, task: Task, bundle_file: Path, base: str, head: str) -> Delivered:
        """See `Checkout.deliver`."""
        raise RecordingEnds("handover/delivered", "a delivery")

    async def withdraw(self, task: Task, head: str) -> str:
        """See `Checkout.withdraw`."""
        raise RecordingEnds("handover/delivered", "a delivery that is taken back")


def otherwise(run: str, step: str, recorded: What, now: What) -> Diverged:
    """Two events that should be the same."""
    return Diverged(run, step, said(recorded), said(now), (recorded.digest(), now.digest()))


def said(what: What) -> str:
    """An event in words."""
    match what:
        case StepStartedEvent():
            return f"step {what.title!r} of {what.agent}"
        case StepFinishedEvent():
            return f"step {'done' if what.ok else 'failed'}: {what.summary!r}"
        case CallIntendedEvent():
            return f"{what.server}.{what.tool} with parameters sha256 {what.params_sha256}"
        case GateOpenedEvent():
            return f"gate {what.gate} with subject sha256 {what.subject_sha256}"
        case RunHandedOverEvent():
            return f"handed over {what.branch} at {what.head}"
        case RunFailedEvent():
            return f"failed: {what.reason}"
        case RunAbortedEvent():
            return f"aborted by {what.by}: {what.reason}"
        case _:
            return what.event
