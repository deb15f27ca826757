"""Grave risks at a gate that a host shows: a person ticks each, and no model does it for them."""

from __future__ import annotations

from typing import Any

import pytest
from mcp.client.client import ConnectMode

from contracts.gate import GateRequest
from tests.gateway.desk import Content, Person, approving, at_a_desk
from tests.orchestrator.conftest import stage
from tests.orchestrator.crew import RUN
from tests.orchestrator.stage import Stage
from tests.orchestrator.test_grave import BOTH, CI, handed

__all__ = ["stage"]

pytestmark = pytest.mark.usefixtures("at_once")

TICKED: Content = {"accept_automation": True, "accept_dependencies": True}


def passing_on(request: GateRequest) -> dict[str, Any]:
    return {"run": RUN, "subject_sha256": request.subject_sha256, "verdict": "approve"}


async def test_a_form_has_a_box_for_each_risk_and_an_approval_needs_all(stage: Stage, era: ConnectMode) -> None:
    """What is not ticked is asked for again, with the names."""
    await handed(stage, BOTH)
    replies: list[Content] = [{"verdict": "approve", "accept_automation": True}, {"verdict": "approve", **TICKED}]
    person = Person(lambda params: replies.pop(0))
    async with at_a_desk(stage, era, person) as desk:
        assert (await desk.call("wait_run", run=RUN))["status"] == "handed_over"
    first, again = person.shown
    fields = first.requested_schema["properties"]
    assert [name for name in fields if name.startswith("accept_")] == ["accept_dependencies", "accept_automation"]
    assert ".github/workflows/ci.yml" in fields["accept_automation"]["description"]
    assert "by name what no rule may: dependencies" in again.message
    (*_, gate) = (await stage.conductor().resume(RUN)).state.gates
    assert gate.decision is not None
    assert set(gate.decision.accepts) == {"automation", "dependencies"}


async def test_what_a_model_passes_on_is_ticked_by_the_person(stage: Stage, era: ConnectMode) -> None:
    """Confirming the word alone decides nothing."""
    _, request = await handed(stage, CI)
    replies: list[Content] = [{"confirm": True}, {"confirm": True, "accept_automation": True}]
    person = Person(lambda params: replies.pop(0))
    async with at_a_desk(stage, era, person) as desk:
        told = await desk.call("decide_gate", **passing_on(request))
        assert (told["decided"], "automation" in told["note"]) == (False, True)
        assert (await desk.call("decide_gate", **passing_on(request)))["decided"]


async def test_a_host_s_own_word_accepts_no_risk(stage: Stage, era: ConnectMode) -> None:
    """Where `decides` is granted, such a gate is still for a person; and nothing it adds to a call changes that."""
    _, request = await handed(stage, CI)
    async with at_a_desk(stage, era, Person(approving), own_word=True) as desk:
        assert (await desk.call("get_run", run=RUN))["gate"]["to_accept"] == ["automation"]
        failure = await desk.refused("decide_gate", **passing_on(request))
        assert "a person has to accept" in failure["message"]
        assert (await desk.refused("decide_gate", **passing_on(request), accepts=["automation"]))["kind"] == "invalid"
    assert stage.checkout.delivered == []
