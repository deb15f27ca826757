"""A house with an enemy in its crew, somebody's checkout, and a run that waits for an approval."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from unittest import mock

import anyio

from bus.bus import Bus
from bus.caller import Caller, new_call_id
from bus.connect import identities
from bus.envelope import SEAL
from bus.grants import BROKER
from bus.identity import load_identity
from bus.mandates import put_mandate
from bus.refusals import SUBJECT_CHARS
from contracts.base import Model, sha256, utc_now
from contracts.config import Joining, ServerConfig
from contracts.gate import GateDecision
from contracts.ledger import RUNS_STREAM, CallRecord
from contracts.mandate import Mandate
from contracts.manifest import Card
from orchestrator import house as houses
from orchestrator import proof, recording
from orchestrator.audit import audit
from orchestrator.standalone.verify_ledger import verify
from tests.bridge.rig import as_identity, joined
from tests.cli.conftest import Podium, make_project
from tests.hostile.attempts import RUN, Attempt
from tests.hostile.enemy import AnswerParams, AnswerResult, TryParams, TryResult

ENEMY = Path(__file__).with_name("enemy.py")
GRANT = ("repository.list",)
_FACT = re.compile(r"\{(\w+)(:[^}]*)?\}")
PATIENCE_S = 30.0


@dataclass(frozen=True)
class Attacked:
    """A house under attack."""

    podium: Podium
    url: str
    pid: int
    card: Card
    checkout: Path
    facts: Mapping[str, str | int]
    _orchestrator: tuple[Bus, Caller]

    async def tried(self, attempt: Attempt) -> TryResult:
        """What came of an attempt."""
        words = tuple(self._told(word) for word in attempt.words)
        params = TryParams(means=attempt.means, words=words, url=self.url)
        return await self._orchestrator[1].call("enemy", "attempt", params, TryResult, call_id=new_call_id())

    async def answered(self, body: str) -> AnswerResult:
        """What a caller makes of an answer that holds these bytes."""
        params = AnswerParams(body=body, url=self.url)
        return await self._orchestrator[1].call("enemy", "answer", params, AnswerResult, call_id=new_call_id())

    async def ask(self, server: str, tool: str, params: Model, result: Any, call_id: str) -> Any:
        """Call another member, as a run does."""
        return await self._orchestrator[1].call(server, tool, params, result, call_id=call_id)

    def _told(self, word: Any) -> Any:
        """A word of an attempt with the facts in it; what is no fact is a new id."""
        if isinstance(word, dict):
            return {key: self._told(each) for key, each in cast("dict[str, Any]", word).items()}
        if not isinstance(word, str):
            return word
        if (whole := _FACT.fullmatch(word)) and whole[1] in self.facts:
            return self.facts[whole[1]]
        return _FACT.sub(lambda found: str(self.facts.get(found[1], "")) or new_call_id(), word)

    def denied(self, attempt: Attempt) -> str:
        """What the audit should say that the broker refused."""
        if attempt.means == "raw":
            return f"send maximum {attempt.words[1]}"
        subject = str(self._told(attempt.words[0]))
        verb = "subscribe" if attempt.means == "subscribe" else "publish"
        return f"{verb} {subject if len(subject) <= SUBJECT_CHARS else f'{subject[: SUBJECT_CHARS - 1]}…'}"

    async def denials(self, wanted: set[str]) -> tuple[CallRecord, ...]:
        """What the broker refused the enemy, as the audit has it, once all that is wanted is there or patience ends."""
        found: tuple[CallRecord, ...] = ()
        with anyio.move_on_after(PATIENCE_S):
            while wanted - {record.tool for record in found}:
                await anyio.sleep(0.1)
                found = tuple(each for each in await self.calls_of_the_enemy() if each.server == BROKER)
        return found

    async def calls_of_the_enemy(self) -> tuple[CallRecord, ...]:
        """Its calls, and what it was refused, as the audit has it now."""
        async with as_identity(self.podium, "auditor") as (bus, _):
            calls = (await audit(bus, await recording.readable(bus))).calls
        return tuple(each for each in calls if each.caller == "enemy")

    async def verified(self, *, foreign: bool) -> dict[str, Any]:
        """What the stand-alone verifier says of the whole ledger, as it is signed now."""
        async with as_identity(self.podium, "auditor") as (bus, _):
            span = await proof.signed_ledger(bus)
            lines = [line async for line in proof.lines(bus, span, None, "")]
        return verify(lines, key=load_identity(identities(self.podium.state), "notary").public, foreign=foreign)


@contextmanager
def _elsewhere(podium: Podium) -> Any:
    """Its crew file is the one this process means, too."""
    with mock.patch.dict(os.environ, {"PODIUM_CREW": str(podium.crew)}):
        yield


@asynccontextmanager
async def attacked(folder: Path) -> AsyncGenerator[Attacked]:
    """One, for as long as the block runs."""
    podium = Podium(folder / "state")
    project = make_project(folder / "checkout")
    (project.root / "README").write_text("Mine.\n")
    agent = folder / "enemy.py"
    agent.write_bytes(ENEMY.read_bytes())
    server = ServerConfig(agent=str(agent), calls=GRANT)
    with _elsewhere(podium), socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        async with (
            _up(podium) as house,
            joined(podium, "enemy", server) as card,
            houses.joined(podium.state, Joining(name="desk")),
            as_identity(podium, "orchestrator") as orchestrator,
        ):
            approval, seal = await _approved(podium, orchestrator[0])
            await put_mandate(orchestrator[0], RUN, Mandate(calls={"code_writer": ("repository.read",)}))
            facts: dict[str, str | int] = {
                "state": str(podium.state),
                "checkout": str(project.root),
                "agent": str(agent),
                "home": str(Path.home()),
                "house": house.pid,
                "broker": _child(house.pid, "nats-server"),
                "port": other.getsockname()[1],
                "broker_port": int(house.url.rpartition(":")[2]),
                "run": RUN,
                "victim": new_call_id(),
                "guessed": new_call_id(),
                "approval": approval,
                "approval_seal": seal,
                "key": load_identity(identities(podium.state), "enemy").public,
                "card": _as_another(card).canonical().decode(),
            }
            yield Attacked(podium, house.url, house.pid, card, project.root, facts, orchestrator)


def _as_another(card: Card) -> Card:
    """The card, as if it were another server's."""
    manifest = card.manifest.model_copy(update={"name": "repository"})
    return card.model_copy(update={"manifest": manifest, "instance": "other"})


@asynccontextmanager
async def _up(podium: Podium) -> AsyncGenerator[houses.House]:
    up = await anyio.to_thread.run_sync(podium, "up", "--json")
    assert up.code == 0, up.err
    house = await houses.status(podium.state)
    assert house is not None
    try:
        yield house
    finally:
        await houses.down(podium.state)


async def _approved(podium: Podium, orchestrator: Bus) -> tuple[str, str]:
    """A gate that a person has approved, and one that is open; the approval as it is stored, and its seal."""
    for gate in ("plan", "handoff"):
        await orchestrator.store(f"gate.{RUN}.{gate}.request", b'{"shown":1}')
    said = GateDecision(
        run=RUN, gate="plan", subject_sha256=sha256(b"x"), verdict="approve", by="ann", via="command", at=utc_now()
    )
    async with as_identity(podium, "person") as (person, _):
        await person.store(f"gate.{RUN}.plan.decision", said.canonical())
    kept = await orchestrator.last(RUNS_STREAM, f"gate.{RUN}.plan.decision")
    assert kept is not None
    return kept.body.decode(), kept.headers[SEAL]


def _child(pid: int, name: str) -> int:
    """The child of a process that goes by `name`."""
    for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if Path(f"/proc/{each}/comm").read_text().strip() == name:
            return int(each)
    raise LookupError(name)
