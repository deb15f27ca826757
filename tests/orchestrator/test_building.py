"""Work that a model plans and writers write, over the in-memory bus with a crew that follows a script."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.bundle import Bundle
from contracts.code_writer import WriteParams
from contracts.failure import Failure
from contracts.static_analyzer import Finding
from contracts.test_writer import WriteTestsParams
from tests.orchestrator.builders import CODE_ITEM, CRITERIA, NEW_TEST, PLAN, TEST_ITEM, build, make_site, retry
from tests.orchestrator.crew import BASE, OTHER, RUN, suite
from tests.orchestrator.stage import Stage

NOTHING_BEFORE: list[str] = []


def bundle_of(stage: Stage) -> Bundle:
    return Bundle.model_validate_json((stage.paths.bundles / RUN / "bundle.json").read_bytes())


async def test_planned_work_is_written_tests_first_and_handed_over(stage: Stage) -> None:
    """Plan, tests, code, one suite, one bundle; each file is a commit of the agent that wrote it."""
    crew = make_site(stage)
    outcome = await build(stage)
    assert outcome.exit_code == 0, outcome.state.reason
    writes = [effect for effect in crew.effects if effect.endswith(".write") or effect == "workspace.commit"]
    assert writes == ["test_writer.write", "workspace.commit", "code_writer.write", "workspace.commit"]
    bundle = bundle_of(stage)
    assert [commit.agent for commit in bundle.commits] == ["test_writer", "code_writer"]
    assert bundle.failing == (NEW_TEST,)
    assert bundle.patch.files == ("new.py", "tests/test_new.py")
    assert "A model wrote it, its tests included: read what they assert." in bundle.risks


async def test_the_code_writer_is_told_which_tests_to_pass_and_what_is_to_be_met(stage: Stage) -> None:
    """The tests that were just written are what its versions are chosen by; criteria say what they leave open."""
    crew = make_site(stage)
    await build(stage, criteria=CRITERIA)
    asked = next(each for each in crew.asked if isinstance(each, WriteParams))
    assert (asked.path, asked.tests, asked.criteria) == ("new.py", (NEW_TEST,), CRITERIA)
    assert next(each for each in crew.asked if isinstance(each, WriteTestsParams)).purpose == "feature"


async def test_each_acceptance_criterion_is_answered_in_the_bundle(stage: Stage) -> None:
    """Met by a passing test that answers it, or not verified."""
    make_site(stage)
    outcome = await build(stage, criteria=CRITERIA)
    first, second = bundle_of(stage).criteria
    assert (first.status, first.met_by) == ("met", (NEW_TEST,))
    assert (second.status, second.met_by) == ("not verified", ())
    summary = (Path(outcome.state.bundle) / "summary.md").read_text()
    assert "| It is documented. | not verified |" in summary


async def test_a_judge_has_the_item_that_is_wrong_written_again(stage: Stage) -> None:
    """Only that item, with the judge's words as feedback; then the change holds."""
    crew = make_site(stage)
    crew.texts["new.py"] = ["1\n", "2\n"]
    crew.replies["judge"] = [retry("code", "Return 2, not 1.")]
    outcome = await build(stage)
    assert outcome.exit_code == 0, outcome.state.reason
    code = [each for each in crew.asked if isinstance(each, WriteParams)]
    assert [each.feedback for each in code] == [(), ("Return 2, not 1.",)]
    assert len([each for each in crew.asked if isinstance(each, WriteTestsParams)]) == 1
    assert outcome.state.metrics.fix_rounds == 1


async def test_the_judge_sees_what_failed_and_what_was_changed(stage: Stage) -> None:
    """Its prompt holds the criteria, the failing test, its message, new findings of the linter, the diff, as data."""
    found = Finding(rule="E711", level="warning", message="comparison to None", path="new.py", line=1, column=1)
    crew = make_site(stage, findings=(found,))
    crew.texts["new.py"] = ["1\n", "2\n"]
    crew.replies["judge"] = [retry()]
    await build(stage, criteria=CRITERIA)
    prompt = next(each for each in crew.asked_of_model if each.reply_name == "judge")
    text = prompt.turns[0].text
    assert NEW_TEST in text
    assert "assert '1\\n' == 2" in text
    assert "new.py:1: E711 comparison to None" in text
    assert "+1" in text
    assert "Make it so." in text
    assert "```\nc1: It is new.\nc2: It is documented.\n```" in text


async def test_the_same_failure_twice_in_a_row_goes_to_a_person_without_another_judgement(stage: Stage) -> None:
    """No loop that burns money: the second time nobody is asked but a person."""
    crew = make_site(stage)
    crew.texts["new.py"] = ["1\n", "1 \n", "2\n"]
    crew.replies["judge"] = [retry()]
    crew.verdict = lambda tree: suite({OTHER: "passed", NEW_TEST: "failed"})
    outcome = await build(stage)
    assert outcome.waiting is not None
    assert outcome.waiting.kind == "escalation"
    assert "twice in a row" in str(outcome.waiting.subject.model_dump_json())
    assert [each.reply_name for each in crew.asked_of_model] == ["plan", "judge"]


async def test_a_judge_that_accepts_red_tests_is_not_believed(stage: Stage) -> None:
    """Only a person keeps a change the suite is against."""
    crew = make_site(stage)
    crew.texts["new.py"] = ["1\n"]
    crew.replies["judge"] = [{"decision": "accept", "reason": "It is fine."}]
    outcome = await build(stage)
    assert outcome.exit_code == 3
    assert outcome.waiting is not None
    assert outcome.waiting.kind == "escalation"
    assert stage.checkout.delivered == []


async def test_after_the_last_round_a_person_decides(stage: Stage) -> None:
    """The rounds are bounded; what is there may be kept, or not."""
    crew = make_site(stage)
    crew.texts["new.py"] = ["1\n"]
    outcome = await build(stage, fix_rounds=0)
    assert outcome.waiting is not None
    assert outcome.waiting.kind == "escalation"
    assert [each.reply_name for each in crew.asked_of_model] == ["plan"]


@pytest.mark.parametrize(
    ("notes", "rounds", "why"),
    [
        (["it was cut at 0x7f01", "it was cut at 0x7f02", "it was cut"], 2, "twice in a row"),
        (["it was cut", "it was no code", "it was cut"], 3, "no change was accepted"),
    ],
    ids=["the same", "another"],
)
async def test_what_could_not_be_written_is_tried_again_with_the_reason_and_then_given_up(
    stage: Stage, notes: list[str], rounds: int, why: str
) -> None:
    """A writer that never manages ends the run, with what it said: at once where it said the same twice in a row."""
    crew = make_site(stage)
    crew.texts["new.py"] = [None, None, None]
    crew.notes = list(notes)
    outcome = await build(stage)
    assert outcome.exit_code == 1
    assert why in outcome.state.reason
    assert notes[rounds - 1] in outcome.state.reason
    asked = [each for each in crew.asked if isinstance(each, WriteParams)]
    assert [len(each.feedback) for each in asked] == [0, 1, 1][:rounds]
    assert stage.checkout.delivered == []


async def test_a_plan_with_a_stranger_is_sent_back_once_and_then_refused(stage: Stage) -> None:
    """A plan names only agents of the workflow; a second one like it ends the run."""
    stranger: dict[str, object] = {**PLAN, "work": [{**TEST_ITEM, "agent": "workspace"}]}
    crew = make_site(stage)
    crew.replies["plan"] = [stranger, dict(PLAN)]
    assert (await build(stage)).exit_code == 0
    assert "nobody may be given work as 'workspace'" in crew.asked_of_model[1].turns[-1].text


@pytest.mark.parametrize(
    "work",
    [
        [CODE_ITEM | {"after": NOTHING_BEFORE}],
        [TEST_ITEM | {"path": "../outside/test_x.py"}],
        [TEST_ITEM | {"path": ".git/hooks/test_x.py"}],
        [TEST_ITEM, CODE_ITEM | {"path": "tests/test_other.py"}],
        [TEST_ITEM | {"path": "tests/conftest.py"}],
        [TEST_ITEM, CODE_ITEM | {"after": ["nobody"]}],
        [TEST_ITEM | {"after": ["code"]}, CODE_ITEM],
        [TEST_ITEM | {"after": ["code"]}, CODE_ITEM | {"after": NOTHING_BEFORE}],
        [TEST_ITEM, TEST_ITEM | {"path": "tests/test_b.py"}],
    ],
    ids=["no test", "outside", "git", "code in tests", "conftest", "unknown", "circle", "tests last", "same id"],
)
async def test_work_that_cannot_be_carried_out_is_not_begun(stage: Stage, work: list[dict[str, object]]) -> None:
    """Whatever the planner says twice, no writer is called for it."""
    crew = make_site(stage)
    crew.replies["plan"] = [{**PLAN, "work": work}, {**PLAN, "work": work}]
    outcome = await build(stage)
    assert outcome.exit_code == 1
    assert "twice" in outcome.state.reason
    assert not [effect for effect in crew.effects if effect.endswith(".write")]


async def test_a_refusal_by_the_budget_ends_the_run_with_a_code_of_its_own(stage: Stage) -> None:
    """Exit code 5, what was spent in the reason, nothing applied, the worktree removed."""
    crew = make_site(stage)
    crew.failures["code_writer.write"] = Failure(kind="budget", message="spent 480 of 500 tokens", way_out="Raise it.")
    outcome = await build(stage)
    assert outcome.exit_code == 5
    assert outcome.state.over_budget
    assert "spent 480 of 500 tokens" in outcome.state.reason
    assert crew.effects[-1] == "workspace.close"
    assert stage.checkout.delivered == []


async def test_a_planner_over_its_budget_ends_the_run_the_same_way(stage: Stage) -> None:
    """Also where the refusal comes inside an answer that cost something."""
    make_site(stage).replies["plan"] = [Failure(kind="budget", message="the limit is near")]
    outcome = await build(stage)
    assert (outcome.exit_code, outcome.state.over_budget) == (5, True)


@pytest.mark.parametrize("role", ["planner", "writer"])
async def test_without_a_model_the_run_says_what_is_missing(stage: Stage, role: str) -> None:
    """Nothing is guessed: it ends before any test has run, let alone a plan been paid for, with the way out."""
    crew = make_site(stage, unready=role)
    outcome = await build(stage)
    assert outcome.exit_code == 1
    assert f"as its {role}" in outcome.state.reason
    assert "no key" in outcome.state.reason
    assert outcome.state.way_out.startswith("Set one.")
    assert not {"test_runner.run", "model.complete"} & set(crew.effects)


async def test_what_models_cost_is_folded_from_the_answers(stage: Stage) -> None:
    """By agent; a model without a price makes the sum unknown, never 0."""
    make_site(stage)
    metrics = (await build(stage)).state.metrics
    assert {each.agent: each.spent.requests for each in metrics.spending} == {
        "code_writer": 1,
        "orchestrator": 1,
        "test_writer": 1,
    }
    assert metrics.spent.usage.total == 360
    assert metrics.spent.cost_usd is None


async def test_tests_for_what_is_there_need_no_code(stage: Stage) -> None:
    """write-tests: the only agent is the test writer, and the tests pass as they are written."""
    crew = make_site(stage)
    crew.replies["plan"] = [{**PLAN, "work": [TEST_ITEM]}]
    crew.verdict = lambda tree: suite({OTHER: "passed", NEW_TEST: "passed"})
    outcome = await build(stage, workflow="write-tests")
    assert outcome.exit_code == 0, outcome.state.reason
    assert next(each for each in crew.asked if isinstance(each, WriteTestsParams)).purpose == "existing"
    assert bundle_of(stage).base == BASE
