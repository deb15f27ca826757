"""Grants and pins are on the ledger, as the operator takes them up; hosts' denials and people's answers, too."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from bus.envelope import seal
from bus.subjects import crew_note
from contracts.crew_note import Granted
from contracts.ledger import CallRecord
from contracts.manifest import ToolSpec
from contracts.pin import Pin
from orchestrator.auditing.filters import Filter
from orchestrator.auditing.reading import Tally, records
from orchestrator.standalone.verify_ledger import verify
from servers.crew import Crew
from servers.crew_member import Member
from servers.ledger_upkeep import note
from tests.audit.rig import ledger

PIN = Pin(
    server="files",
    tools=(ToolSpec(name="write", title="", description="", input_schema={}, output_schema=None),),
    approved_at=datetime(2026, 1, 1, tzinfo=UTC),
    approved_by="ada",
)


def crew(*calls: str) -> Crew:
    return Crew((Member(name="files", command=("x",), calls=calls, scopes=("files:read:/srv",), pin=PIN),))


async def test_what_is_granted_and_pinned_is_noted_when_it_is_news(tmp_path: Path) -> None:
    """Not at every start; signed by the operator, and whoever else says so counts for nothing."""
    async with ledger(tmp_path) as made:
        operator, auditor = made.buses["operator"], made.buses["auditor"]
        for calls in ((), (), ("repository.read",)):
            await note(operator, crew(*calls))
        tally = Tally()
        found = [each async for each in records(auditor, (), Filter(), tally)]
        assert [(each.kind, each.server, each.caller, each.outcome) for each in found] == [
            ("grant", "files", "operator", "granted"),
            ("pin", "files", "operator", "pinned"),
            ("grant", "files", "operator", "granted"),
        ]
        assert [each.what for each in found if not isinstance(each, CallRecord)][
            2
        ] == "files:read:/srv, repository.read"
        assert "by ada" in found[1].model_dump()["why"]
        assert tally.foreign == 0
        only = [each async for each in records(auditor, (), Filter(agent="files", kinds=frozenset({"pin"})), Tally())]
        assert only == [found[1]]

        await (await made.notary()).round()
        assert verify(await made.whole_file(), made.identity("notary").public)["verified"]


async def test_a_grant_that_somebody_else_signed_counts_for_nothing(tmp_path: Path) -> None:
    """It is counted, and the verifier names it."""
    async with ledger(tmp_path) as made:
        forged = Granted(calls=("*.*",)).canonical()
        subject = crew_note("files", "granted")
        await made.buses["operator"].request(subject, forged, seal(made.identity("model").signer(), subject, forged))
        await note(made.buses["operator"], crew())
        tally = Tally()
        found = [each async for each in records(made.buses["auditor"], (), Filter(), tally)]
        assert ([each.kind for each in found], tally.foreign) == (["grant", "pin"], 1)
        await (await made.notary()).round()
        verdict = verify(await made.whole_file(), made.identity("notary").public)
        assert (verdict["verified"], verdict["record"]) == (False, "LEDGER_runs 1 crew.files.granted")
