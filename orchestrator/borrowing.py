"""What a forked run takes over from the run it was forked from, instead of having it done again.

Only answers count that still mean the same: the same call under the same step path, with the same parameters but for
the run's name, made while the worktree had seen the same changes. The workspace's own calls are always made, because
the new run needs a worktree of its own. An answer that is taken over is written to the new run's journal in full, so
that nothing of the old run is needed to resume or replay the new one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import anyio
from pydantic import JsonValue

from bus.bus import Bus, Stored
from bus.subjects import CallSubject
from bus.wire import JsonObject, as_object, failure_of, parse
from contracts.base import CallId, Model, Name, RunId, Sha256, sha256
from contracts.ledger import server_stream
from contracts.run import CallFinishedEvent, CallIntendedEvent, Event, StepPath, StepStartedEvent, ValueRecordedEvent
from orchestrator.journal import Notes
from orchestrator.seals import ORCHESTRATOR, Seals, events

FORK = "fork"
"""The path under which a forked run says what it was forked from."""

WORKTREE = "workspace"
"""The server whose calls are made anew in every run."""

_CHANGING = frozenset({"apply", "revert"})
_OF_THE_RUN = frozenset({"run", "expected_head", "commit"})
"""Parameters that name the run or a commit of its own: never the same in two runs."""

_MARK = "/taken-over"


class Fork(Model):
    """What a run was forked from."""

    run: RunId
    step: StepPath


class Loan(Model):
    """An answer that was taken over."""

    run: RunId
    """The run that paid for it."""
    call_id: CallId
    server: Name
    tool: str
    params_sha256: Sha256
    """Of the parameters as they are asked now."""
    answer: JsonValue


def taken_over(path: str) -> str:
    """Where the answer to the call at `path` is written down, if it was taken over."""
    return f"{path}{_MARK}"


@dataclass(frozen=True)
class _Offer:
    """A call of the old run that can be taken over."""

    run: str
    call_id: str
    server: str
    tool: str
    params_sha256: str
    trail: str
    """What the worktree had seen."""
    answer: JsonValue = None
    """Where it is known already."""


class Borrowing:
    """What one run may take over; nothing, unless its journal says that it is a fork."""

    def __init__(self, bus: Bus, journal: Notes) -> None:
        self._bus = bus
        self._seals = Seals(bus)
        self._journal = journal
        self._lock = anyio.Lock()
        self._trail = ""
        self._offers: dict[str, _Offer] | None = None

    @property
    def _fork(self) -> Fork | None:
        kept = self._journal.values.get(FORK)
        return Fork.model_validate(kept.value) if kept else None

    def seen(self, path: str, server: str, tool: str, params: Model) -> None:
        """The run makes this call; what it does to the worktree counts for the calls after it."""
        if server == WORKTREE and tool in _CHANGING:
            self._trail = _further(self._trail, path, tool, params.model_dump(mode="json"))

    async def find(self, path: str, server: str, tool: str, params: Model) -> Loan | None:
        """The old run's answer to this very call, if it has one."""
        fork = self._fork
        if fork is None or server == WORKTREE:
            return None
        async with self._lock:
            if self._offers is None:
                self._offers = await self._read(fork)
        offer = self._offers.get(path)
        same = params.model_copy(update={"run": fork.run}) if "run" in type(params).model_fields else params
        asked = (server, tool, same.digest(), self._trail)
        if offer is None or (offer.server, offer.tool, offer.params_sha256, offer.trail) != asked:
            return None
        answer = offer.answer if offer.answer is not None else await self._answer(offer)
        if answer is None:
            return None
        return Loan(
            run=offer.run,
            call_id=offer.call_id,
            server=server,
            tool=tool,
            params_sha256=params.digest(),
            answer=answer,
        )

    async def _read(self, fork: Fork) -> dict[str, _Offer]:
        offers: dict[str, _Offer] = {}
        trail = ""
        async for _, event in events(self._bus, self._seals, fork.run):
            match event.what if event else None:
                case StepStartedEvent() as what if begins(what.step, fork.step):
                    break
                case CallIntendedEvent() as what if what.server == WORKTREE:
                    if what.tool in _CHANGING:
                        trail = _further(trail, what.step, what.tool, await self._arguments(what))
                case CallIntendedEvent() as what:
                    offers[what.step] = _Offer(
                        fork.run, what.call_id, what.server, what.tool, what.params_sha256, trail
                    )
                case ValueRecordedEvent() as what if what.step.endswith(_MARK):
                    loan = Loan.model_validate(what.value)
                    offers[what.step.removesuffix(_MARK)] = _Offer(
                        loan.run, loan.call_id, loan.server, loan.tool, loan.params_sha256, trail, loan.answer
                    )
                case _:
                    pass
        return offers

    async def _arguments(self, intent: CallIntendedEvent) -> JsonObject:
        subject = CallSubject(intent.server, intent.tool, ORCHESTRATOR, intent.call_id)
        kept = await self._bus.glance(server_stream(intent.server), str(subject))
        if kept is None or await self._seals.sealed_by(kept) != ORCHESTRATOR:
            return {}
        return as_object(as_object(parse(kept.subject, kept.body).get("params")).get("arguments"))

    async def _answer(self, offer: _Offer) -> JsonValue:
        subject = CallSubject(offer.server, offer.tool, ORCHESTRATOR, offer.call_id).result
        kept: Stored | None = await self._bus.glance(server_stream(offer.server), subject)
        if kept is None or await self._seals.sealed_by(kept) != offer.server:
            return None
        message = parse(kept.subject, kept.body)
        return None if failure_of(message) else as_object(message.get("result")).get("structuredContent")


def begins(step: str, name: str) -> bool:
    """Whether `step` is the step that a person calls `name`: `propose` is the first of `propose/1`, `propose/2`."""
    return step == name or step.startswith(f"{name}/")


def compare(new: tuple[Event, ...], old: tuple[Event, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Paths of the calls a forked run has taken over, and of those it made anew although the old run had made them."""
    fork = next(
        Fork.model_validate(each.what.value)
        for each in new
        if isinstance(each.what, ValueRecordedEvent) and each.what.step == FORK
    )
    before: set[str] = set()
    for event in old:
        if isinstance(event.what, StepStartedEvent) and begins(event.what.step, fork.step):
            break
        if isinstance(event.what, CallFinishedEvent) and event.what.failure is None:
            before.add(event.what.step)
    whats = [event.what for event in new]
    taken = tuple(
        what.step.removesuffix(_MARK)
        for what in whats
        if isinstance(what, ValueRecordedEvent) and what.step.endswith(_MARK)
    )
    made = [what for what in whats if isinstance(what, CallIntendedEvent) and what.server != WORKTREE]
    return taken, tuple(what.step for what in made if what.step in before)


def _further(trail: str, path: str, tool: str, arguments: JsonObject) -> str:
    rest = {key: value for key, value in sorted(arguments.items()) if key not in _OF_THE_RUN}
    return sha256(f"{trail}/{path}/{tool}/{json.dumps(rest)}".encode())
