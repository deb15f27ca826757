"""A plan has to fit the repository it is for, and says what people should know of it."""

from __future__ import annotations

from contracts.gate_policy import HUMAN
from contracts.workflow import Plan
from tests.orchestrator.builders import CODE_ITEM, PLAN, TEST_ITEM, build, make_site
from tests.orchestrator.stage import AUTO_ALL, Stage


def planned(path: str) -> dict[str, object]:
    """The plan, with its code in this file."""
    return {**PLAN, "work": [TEST_ITEM, {**CODE_ITEM, "path": path}]}


async def test_a_plan_that_does_not_fit_the_tree_is_sent_back(stage: Stage) -> None:
    """Nobody can write a folder; the planner is told before anybody approves it."""
    crew = make_site(stage)
    crew.replies["plan"] = [planned("shop"), PLAN]
    outcome = await build(stage)
    assert outcome.exit_code == 0, outcome.state.reason
    assert "shop is a folder" in crew.asked_of_model[1].turns[-1].text


async def test_a_plan_that_may_change_how_tests_run_says_so_at_its_gate(stage: Stage) -> None:
    """It is a person's to judge: a dependency, or another way to run the tests."""
    crew = make_site(stage)
    crew.replies["plan"] = [planned("pyproject.toml")]
    outcome = await build(stage, AUTO_ALL.model_copy(update={"plan": HUMAN}))
    assert outcome.waiting is not None
    assert isinstance(outcome.waiting.subject, Plan)
    assert any("pyproject.toml can say how tests run" in fact for fact in outcome.waiting.subject.facts)
