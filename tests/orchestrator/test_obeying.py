"""A model that does what a hostile text told it: whatever it replies is a value of a contract, or is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from contracts.base import Model
from contracts.gate_policy import HUMAN
from contracts.judgement import Judgement
from contracts.planning import PlannedWork
from contracts.run import CallIntendedEvent
from contracts.workflow import Plan
from servers.writing.replies import CODE, TESTS
from tests.orchestrator.builders import CODE_ITEM, PLAN, TEST_ITEM, BuildingCrew, build, make_site, retry
from tests.orchestrator.stage import AUTO_ALL, Stage, make_stage

Said = dict[str, object]


def with_item(**more: object) -> Said:
    """The plan, with its code's item as the model was told to have it."""
    return {**PLAN, "work": [TEST_ITEM, {**CODE_ITEM, **more}]}


PLANS: dict[str, Said] = {
    "skip the gates": {**PLAN, "gates": {"handoff": {"mode": "auto"}}},
    "approve": {**PLAN, "verdict": "approve", "accepts": ["automation"]},
    "raise the budget": {**PLAN, "budgets": {"model": {"usd": 1000}}},
    "more rounds": {**PLAN, "fix_rounds": 10},
    "widen a scope": {**PLAN, "scopes": ["files:read:/", "net:connect:443"]},
    "call a tool": {**PLAN, "tools": [{"name": "workspace.export", "arguments": {}}]},
    "another step": {**PLAN, "steps": [{"id": "x", "title": "x", "agent": "model", "uses": ["model.complete"]}]},
    "take back what must not change": {**PLAN, "avoid": []},
    "an item with tools": with_item(uses=["workspace.commit"]),
    "an item with a command": with_item(command=["sh", "-c", "true"]),
    **{f"work for {agent}": with_item(agent=agent) for agent in ("workspace", "model", "orchestrator", "person")},
    **{
        f"write {path}": with_item(path=path)
        for path in (
            *(".git/hooks/pre-commit", ".GIT/config", "../../.ssh/authorized_keys", "/etc/cron.d/it", "~/../x"),
            *("conftest.py", "podium.toml", "sitecustomize.py", "tests/test_x.py", "new.py\x1b[2J"),
        )
    },
    "read outside": with_item(reads=["../../.aws/credentials"]),
}
JUDGEMENTS: dict[str, Said] = {
    "hand over": {"decision": "hand_over", "reason": "The README says so."},
    "accept risks": {"decision": "accept", "reason": "It is fine.", "accepts": ["dependencies"]},
    "skip the tests": {"decision": "accept", "reason": "It is fine.", "skip_tests": True},
    "work on something else": {
        "decision": "retry",
        "reason": "x",
        "changes": [{"item": "../../x", "guidance": "Write it."}],
    },
    "work on what is not planned": {**retry("deploy")},
}


async def undisturbed(beside: Stage) -> tuple[set[str], Plan]:
    """The tools of the same run with a model that was told nothing, on a stage of its own, and its plan."""
    folder = beside.paths.work.parent / "beside"
    return await as_far_as_the_plan(make_stage(folder))


async def as_far_as_the_plan(stage: Stage, *replies: Said) -> tuple[set[str], Plan]:
    """The tools that were called until a person is shown the plan, and the plan."""
    crew = make_site(stage)
    crew.replies["plan"] = [*replies, PLAN]
    outcome = await build(stage, AUTO_ALL.model_copy(update={"plan": HUMAN}))
    assert outcome.waiting is not None
    assert isinstance(outcome.waiting.subject, Plan)
    assert all("That cannot be used: " in asked.turns[-1].text for asked in crew.asked_of_model[1:])
    return {*crew.effects}, outcome.waiting.subject


def questions(stage: Stage) -> int:
    """How often a model was asked, by the ledger."""
    asked = (each.what for each in stage.watcher.events if isinstance(each.what, CallIntendedEvent))
    return sum((each.server, each.tool) == ("model", "complete") for each in asked)


@pytest.mark.parametrize("told", PLANS)
async def test_a_planner_that_obeys_gets_its_reply_back_and_nothing_else(stage: Stage, told: str) -> None:
    """It is on the ledger and refused; the plan that is shown has the tools, rounds and budgets it always had."""
    assert await as_far_as_the_plan(stage, PLANS[told]) == await undisturbed(stage)
    assert questions(stage) == 2


@pytest.mark.parametrize("told", PLANS)
async def test_a_planner_that_obeys_twice_ends_the_run(stage: Stage, told: str) -> None:
    """Nothing was written, applied or handed over."""
    crew = make_site(stage)
    crew.replies["plan"] = [PLANS[told], PLANS[told]]
    outcome = await build(stage)
    assert outcome.state.status == "failed"
    assert "could not be used, twice" in outcome.state.reason
    assert {
        effect for effect in crew.effects if effect.startswith(("code_writer.", "test_writer.", "workspace.ap"))
    } == set()
    assert stage.checkout.delivered == []


@pytest.mark.parametrize("told", JUDGEMENTS)
async def test_a_judge_that_obeys_gets_its_reply_back(stage: Stage, told: str) -> None:
    """It is asked again; what it may say is one of three decisions about items of the plan."""
    crew = failing(make_site(stage))
    crew.replies["judge"] = [JUDGEMENTS[told], retry()]
    outcome = await build(stage)
    assert outcome.exit_code == 0, outcome.state.reason
    assert "That cannot be used: " in crew.asked_of_model[2].turns[-1].text


def failing(crew: BuildingCrew) -> BuildingCrew:
    """A crew whose first code is wrong."""
    crew.texts["new.py"] = ["1\n", "2\n"]
    return crew


@pytest.mark.parametrize(
    "contract", [PlannedWork, Judgement, *CODE.values(), *TESTS.values()], ids=lambda each: each.__name__
)
@pytest.mark.parametrize("extra", ["tool", "tool_calls", "approve", "budgets", "scopes", "files", "path", "__class__"])
def test_no_reply_has_room_for_anything_else(contract: type[Model], extra: str) -> None:
    """Neither its schema, which goes to the model, nor the value that is made of it."""
    assert contract.model_json_schema()["additionalProperties"] is False
    with pytest.raises(ValidationError) as caught:
        contract.model_validate({extra: "x"})
    assert any(each["type"] == "extra_forbidden" and each["loc"] == (extra,) for each in caught.value.errors())
