"""A run whose large bodies were given up is proved as before, whole or from its file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from bus.claims import CLAIM, MAX_WHOLE
from orchestrator.recording import Recording
from orchestrator.recording_file import load
from orchestrator.retention import large_bodies, prune
from orchestrator.runs import state_of
from orchestrator.standalone.verify_ledger import verify
from tests.audit.rig import SERVERS, ledger
from tests.replay.record import GOOD

CALL = "call.test_runner."
ANSWER = "result.orchestrator.test_runner."


def with_large_bodies(recording: Recording) -> Recording:
    """The same, with a call and an answer that say what they say in more bytes than a message has."""
    large: list[str] = []
    for start in (CALL, ANSWER):
        subjects = (kept.subject for kept in recording.messages if kept.subject.startswith(start))
        large.append(next(subject for subject in subjects if ".orchestrator." in subject))
    messages = (
        replace(kept, body=kept.body + b" " * MAX_WHOLE) if kept.subject in large else kept
        for kept in recording.messages
    )
    return replace(recording, messages=tuple(messages))


async def test_a_run_verifies_before_and_after_its_large_bodies_were_pruned(tmp_path: Path) -> None:
    """Nothing of it is withheld: where a body was, its digest stands under the same seal."""
    recording = with_large_bodies(load(GOOD))
    async with ledger(tmp_path) as made:
        notary = await made.notary()
        await made.keep(notary, recording)
        before = verify(await made.file_of(recording.run))
        bus, operator = made.buses["orchestrator"], made.buses["operator"]
        bodies = (await large_bodies(operator, SERVERS))[recording.run]
        assert [body.subject.partition(".")[0] for body in bodies] == ["result", "call"]
        await prune(bus, operator, tmp_path, recording.run, bodies, by="ann", policy="all")
        await notary.round()
        lines = await made.file_of(recording.run)
        after, whole = verify(lines), verify(await made.whole_file())
        state = await state_of(bus, recording.run)
    assert (before["verified"], after["verified"], whole["verified"]) == (True, True, True)
    assert after["messages"] == before["messages"] + 1, "the note"
    assert sum(CLAIM in json.loads(line).get("headers", {}) for line in lines) == 2
    assert state.pruned is not None
    assert state.pruned.bodies == bodies
