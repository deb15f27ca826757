"""A stage whose calls and answers stand in the ledger, as on a bus with a crew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from bus.bus import ABSENT
from bus.caller import OnProgress
from bus.errors import AlreadyStored, CallFailed
from bus.memory import MemoryBroker
from bus.nested import nested_id
from bus.subjects import CallSubject
from bus.wire import Correlation, as_object, call_request, correlation_of, failure_result, parse, response
from contracts.base import Model
from contracts.failure import Failure
from contracts.ledger import server_stream
from contracts.state import CallState
from orchestrator.gates import Desk
from orchestrator.ports import Paths
from orchestrator.recording import Recording, record
from orchestrator.recording_file import Header, Line, writing
from orchestrator.run import Conductor
from tests.orchestrator.crew import RUN, ScriptedCrew
from tests.orchestrator.stage import OFFERED, Stage

R = TypeVar("R", bound=Model)
SERVERS = ("code_writer", "model", "repository", "static_analyzer", "test_runner", "test_writer", "workspace")


@dataclass
class KeptCalls:
    """Has a crew answer, and stores call and answer under their senders' names."""

    broker: MemoryBroker
    crew: ScriptedCrew

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
        subject = CallSubject(server, tool, "orchestrator", call_id)
        await self.store(subject, call_request(call_id, tool, params, Correlation(run, step)))
        try:
            answer = await self.crew.call(server, tool, params, result, call_id=call_id, run=run, step=step)
        except CallFailed as failed:
            await self.answer(subject, response(call_id, failure_result(failed.failure)))
            raise
        await self.answer(subject, of_result(call_id, answer))
        return answer

    async def store(self, subject: CallSubject, body: bytes) -> None:
        """Store a call in its caller's name."""
        with suppress(AlreadyStored):
            await self.broker.connect(subject.caller).store(str(subject), body, expect=ABSENT)

    async def answer(self, subject: CallSubject, body: bytes) -> None:
        """Store an answer in the server's name."""
        with suppress(AlreadyStored):
            await self.broker.connect(subject.server).store(subject.result, body, expect=ABSENT)


def of_result(call_id: str, answer: Model) -> bytes:
    """The response that says `answer`."""
    structured = as_object(parse("", b'{"jsonrpc":"2.0","a":' + answer.canonical() + b"}")["a"])
    return response(call_id, {"content": [], "structuredContent": structured, "isError": False})


@dataclass
class KeptStage(Stage):
    """A stage, with everything in the ledger."""

    asked: Counter[str] = field(default_factory=Counter[str])
    """How often agents asked the same, by the first id of it."""

    @property
    def calls(self) -> KeptCalls:
        return KeptCalls(self.broker, self.crew)

    def conductor(self, desk: Desk | None = None, offered: frozenset[str] = OFFERED) -> Conductor:
        return replace(super().conductor(desk, offered), calls=self.calls)

    async def nested(self, parent: CallState, server: str, tool: str, params: Model, answer: Model | Failure) -> str:
        """A call that the agent at work on `parent` made, with its answer; returns its id."""
        above = CallSubject(parent.server, parent.tool, "orchestrator", parent.call_id)
        kept = await self.bus.last(server_stream(parent.server), str(above))
        assert kept is not None
        about = replace(correlation_of(parse(kept.subject, kept.body)), parent=parent.call_id)
        what = (parent.call_id, f"{server}.{tool}", params.digest())
        self.asked[first := nested_id(*what, 1)] += 1
        subject = CallSubject(server, tool, parent.server, nested_id(*what, self.asked[first]))
        await self.calls.store(subject, call_request(subject.call_id, tool, params, about))
        if isinstance(answer, Failure):
            await self.calls.answer(subject, response(subject.call_id, failure_result(answer)))
        else:
            await self.calls.answer(subject, of_result(subject.call_id, answer))
        return subject.call_id

    async def recording(self, run: str = RUN) -> Recording:
        return await record(self.broker.connect("auditor"), run, SERVERS)


def make_kept(folder: Path) -> KeptStage:
    """A stage of one's own."""
    broker = MemoryBroker()
    work = folder / "work"
    return KeptStage(broker.connect("orchestrator"), broker, ScriptedCrew(work), Paths.below(folder))


def exported(recording: Recording) -> Iterator[str]:
    """The lines of a recording's file, but for what the notary has to say of it."""
    roster = dict(sorted(recording.roster.items()))
    header = Header(run=recording.run, version=recording.version, roster=roster, messages=len(recording.messages))
    yield header.model_dump_json()
    yield from (Line.of(kept).model_dump_json() for kept in recording.messages)


def save(recording: Recording, file: Path, *, force: bool = False) -> None:
    """Write that file."""
    with writing(file, force=force) as write:
        for line in exported(recording):
            write(line)
