"""A run's part of the ledger as one value: every message that belongs to it, exactly as it was stored.

It is read from the bus, or from a file that `podium audit export` wrote (`orchestrator/recording_file.py`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Container, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version

from pydantic import ValidationError

from bus.bus import Bus, Stored
from bus.claims import CLAIM
from bus.errors import InvalidMessage
from bus.identity import new_identity
from bus.memory import MemoryBroker, MemoryBus
from bus.registry import cards
from bus.wire import correlation_of, parse
from contracts.config import CrewConfig
from contracts.gate import GateDecision, GateRequest
from contracts.ledger import ROSTER_BUCKET, RUNS_STREAM, server_stream
from contracts.run import CallIntendedEvent, Event
from orchestrator import config
from orchestrator.errors import OrchestratorError
from orchestrator.exchanges import Exchange, exchanges
from orchestrator.runs import events_of
from orchestrator.seals import ORCHESTRATOR, Seals, bodies_given_up, events, may_decide


class RecordingError(OrchestratorError):
    """There is no whole recording to be had; says why and what to do."""


@dataclass(frozen=True)
class Recording:
    """The messages of one run, by stream and in order, and the keys of who sealed them."""

    run: str
    version: str
    roster: Mapping[str, str]
    messages: tuple[Stored, ...]

    @property
    def servers(self) -> tuple[str, ...]:
        """Whose calls are in it."""
        streams = {kept.stream for kept in self.messages} - {RUNS_STREAM}
        return tuple(sorted(stream.removeprefix(server_stream("")) for stream in streams))

    def bus(self) -> Bus:
        """A ledger that holds nothing but this recording, for whoever only reads; what is written there is lost."""
        broker = MemoryBroker()
        for kept in self.messages:
            broker.streams.setdefault(kept.stream, []).append(kept)
        for name, public in self.roster.items():
            broker.set(ROSTER_BUCKET, name, public.encode())
        return MemoryBus(broker, new_identity("reader"))


@dataclass(frozen=True)
class Contents:
    """What a recording says, as far as its messages have a place in the run."""

    events: tuple[Event, ...]
    exchanges: tuple[Exchange, ...]
    requests: Mapping[str, GateRequest]
    """By gate."""
    decisions: Mapping[str, GateDecision]
    foreign: tuple[Stored, ...]
    """Messages that were left out: not sealed by whom their subjects name, of another run, or there already."""

    @property
    def given_up(self) -> int:
        """Of how many messages the body was removed on purpose."""
        bodies = (CLAIM in kept.headers for each in self.exchanges for kept in (each.call, each.result) if kept)
        return sum(bodies)

    @property
    def answers(self) -> Mapping[str, Stored]:
        """The sealed answers to the orchestrator's calls, by call id."""
        return {
            each.subject.call_id: each.result
            for each in self.exchanges
            if each.result is not None and each.subject.caller == ORCHESTRATOR
        }


async def readable(bus: Bus) -> tuple[str, ...]:
    """The servers whose streams an auditor may read: who is in the crew, whether or not it is here now.

    Raises:
        ConfigError: the crew file is broken.
    """
    crew = config.read(config.CONFIGS / "crew.toml", CrewConfig)
    return tuple(sorted({*crew.servers, *(card.manifest.name for card in await cards(bus))}))


async def record(bus: Bus, run: str, servers: Iterable[str], since: datetime | None = None) -> Recording:
    """Everything the ledger holds of `run`: its events, its gates, and calls to `servers` with their answers.

    With `since`, of calls those alone that were stored from then on: less to read, and no proof of anything, see
    `Bus.history`.

    Raises:
        RecordingError: the run called a server that is not among `servers`.
    """
    known = tuple(sorted(set(servers)))
    called = {
        event.what.server
        async for _, event in events(bus, Seals(bus), run)
        if event is not None and isinstance(event.what, CallIntendedEvent)
    }
    if gone := sorted(called - set(known)):
        raise RecordingError(
            f"run {run} called {', '.join(gone)}, which is not in the crew any more, so its calls cannot be read; "
            "put it back into configs/crew.toml and start the house again"
        )
    found = [kept async for kept in bus.history(RUNS_STREAM, f"run.{run}.>")]
    found += [kept async for kept in bus.history(RUNS_STREAM, f"gate.{run}.>")]
    found.sort(key=lambda kept: kept.seq)
    pruned = await bodies_given_up(bus, run)
    for server in known:
        found += [kept async for kept in _of_run(bus, server, run, pruned, since)]
    roster = {name: kept.body.decode() for name, kept in (await bus.entries(ROSTER_BUCKET)).items()}
    return Recording(run, version("podium"), roster, tuple(found))


async def _of_run(
    bus: Bus, server: str, run: str, pruned: Container[str], since: datetime | None
) -> AsyncIterator[Stored]:
    mine: set[str] = set()
    async for kept in bus.history(server_stream(server), since=since):
        call_id = kept.subject.rpartition(".")[2]
        if kept.subject.startswith("call.") and (kept.subject in pruned or _says_run(kept, run)):
            mine.add(call_id)
        if call_id in mine:
            yield kept


def _says_run(kept: Stored, run: str) -> bool:
    if run.encode() not in kept.body:
        return False
    with suppress(InvalidMessage):
        return correlation_of(parse(kept.subject, kept.body)).run == run
    return False


async def opened(recording: Recording) -> Contents:
    """What the recording says, with every seal checked.

    Raises:
        UnknownRun, Torn: it holds no such run, or not all of its events.
    """
    bus, run = recording.bus(), recording.run
    run_events = await events_of(bus, run)
    found, nowhere = await exchanges(bus, recording.servers)
    seals = Seals(bus)
    foreign = [*nowhere, *(kept for each in found if not each.sealed for kept in (each.call, each.result) if kept)]
    strangers = {seq async for seq, event in events(bus, seals, run) if event is None}
    requests: dict[str, GateRequest] = {}
    decisions: dict[str, GateDecision] = {}
    async for kept in bus.history(RUNS_STREAM):
        by = await seals.sealed_by(kept)
        with suppress(ValidationError):
            match kept.subject.split("."):
                case ["run", of, _] if of == run and kept.seq not in strangers:
                    continue
                case ["gate", of, gate, "request"] if of == run and by == ORCHESTRATOR:
                    requests[gate] = GateRequest.model_validate_json(kept.body)
                    continue
                case ["gate", of, gate, "decision"] if of == run:
                    decision = GateDecision.model_validate_json(kept.body)
                    if may_decide(by, decision.via):
                        decisions[gate] = decision
                        continue
                case _:
                    pass
        foreign.append(kept)
    sealed = tuple(each for each in found if each.sealed)
    return Contents(run_events, sealed, requests, decisions, tuple(foreign))
