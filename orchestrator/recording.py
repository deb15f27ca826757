"""A run's part of the ledger as one value: every message that belongs to it, exactly as it was stored.

It is read from the bus, or from a file that `podium audit export` wrote. Such a file is JSON Lines: a `Header`, then
one `Line` a message. It carries the public keys of everybody who seals messages, so that the seals can be checked
without a broker; whether these are the house's true keys is for whoever trusts the file to know.
"""

from __future__ import annotations

import base64
import math
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError

from bus.bus import Bus, Stored
from bus.errors import InvalidMessage
from bus.identity import new_identity
from bus.memory import MemoryBroker, MemoryBus
from bus.registry import cards
from bus.wire import correlation_of, parse
from contracts.base import Model, RunId
from contracts.config import CrewConfig
from contracts.gate import GateDecision, GateRequest
from contracts.ledger import ROSTER_BUCKET, RUNS_STREAM, server_stream
from contracts.run import CallIntendedEvent, Event
from orchestrator import config
from orchestrator.audit import Exchange, exchanges
from orchestrator.errors import OrchestratorError
from orchestrator.runs import events_of
from orchestrator.seals import ORCHESTRATOR, Seals, events, may_decide


class RecordingError(OrchestratorError):
    """There is no whole recording to be had; says why and what to do."""


class Header(Model):
    """The first line of the file."""

    podium_export: Literal[1] = Field(default=1, description="Version of the format.")
    run: RunId
    version: str = Field(description="Of the Podium that wrote the file.")
    roster: dict[str, str] = Field(description="Identity name to nkey public key.")
    messages: int = Field(ge=0, description="Lines that follow; fewer mean that the file was cut.")


class Line(Model):
    """A stored message."""

    stream: str
    seq: int
    subject: str
    headers: dict[str, str]
    stored_at: datetime
    body: str
    encoding: Literal["utf-8", "base64"] = "utf-8"

    @classmethod
    def of(cls, kept: Stored) -> Self:
        """The line that says `kept`."""
        line = cls(
            stream=kept.stream,
            seq=kept.seq,
            subject=kept.subject,
            headers=dict(kept.headers),
            stored_at=kept.stored_at,
            body="",
        )
        try:
            return line.model_copy(update={"body": kept.body.decode()})
        except UnicodeDecodeError:
            return line.model_copy(update={"body": base64.b64encode(kept.body).decode(), "encoding": "base64"})

    def stored(self) -> Stored:
        """The message this line says."""
        body = base64.b64decode(self.body) if self.encoding == "base64" else self.body.encode()
        return Stored(self.stream, self.seq, self.subject, body, self.headers, self.stored_at)


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
            broker.keys[ROSTER_BUCKET, name] = (public.encode(), math.inf)
        return MemoryBus(broker, new_identity("reader"))

    def lines(self) -> Iterator[str]:
        """The file, line by line, without line ends."""
        roster = dict(sorted(self.roster.items()))
        yield Header(run=self.run, version=self.version, roster=roster, messages=len(self.messages)).model_dump_json()
        yield from (Line.of(kept).model_dump_json() for kept in self.messages)


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


async def record(bus: Bus, run: str, servers: Iterable[str]) -> Recording:
    """Everything the ledger holds of `run`: its events, its gates, and calls to `servers` with their answers.

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
    for server in known:
        found += [kept async for kept in _of_run(bus, server, run)]
    roster = {name: public.decode() for name, public in (await bus.entries(ROSTER_BUCKET)).items()}
    return Recording(run, version("podium"), roster, tuple(found))


async def _of_run(bus: Bus, server: str, run: str) -> AsyncIterator[Stored]:
    mine: set[str] = set()
    async for kept in bus.history(server_stream(server)):
        call_id = kept.subject.rpartition(".")[2]
        if kept.subject.startswith("call.") and _says_run(kept, run):
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


def load(file: Path) -> Recording:
    """The recording in `file`.

    Raises:
        RecordingError: it is none, or it was cut.
        OSError: it cannot be read.
    """
    try:
        first, *rest = file.read_text(encoding="utf-8").split("\n")
        header = Header.model_validate_json(first)
        messages = tuple(Line.model_validate_json(line).stored() for line in rest if line)
    except (ValidationError, ValueError) as wrong:
        raise RecordingError(
            f"the file {file} is no recording of a run ({str(wrong).splitlines()[0]}); `podium audit export` writes one"
        ) from wrong
    if len(messages) != header.messages:
        held = f"{len(messages)} of {header.messages} messages"
        raise RecordingError(f"the file {file} was cut: it holds {held}; export it anew")
    return Recording(header.run, header.version, header.roster, messages)


def save(recording: Recording, file: Path, *, force: bool = False) -> None:
    """Write the recording to `file`, all of it or nothing; only its owner may read it: it holds prompts and code.

    Raises:
        FileExistsError: there is something, and it was not to be replaced.
        OSError: it cannot be written.
    """
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as fresh:
            fresh.writelines(f"{line}\n" for line in recording.lines())
        if force:
            draft.replace(file)
        else:
            os.link(draft, file)
    finally:
        draft.unlink(missing_ok=True)
