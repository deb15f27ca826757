"""Work that a model plans and writers write, over the in-memory bus with a crew that follows a script."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.bundle import Bundle
from contracts.code_writer import WriteParams
from contracts.diff import make
from contracts.failure import Failure
from contracts.gate import GateDecision, GateRequest, PatchSet, RefusedEdit
from contracts.gate_policy import HUMAN, GatePolicy, Policy
from contracts.test_writer import WriteTestsParams
from contracts.workflow import Plan
from orchestrator.policies import answer
from tests.orchestrator.builders import CODE_ITEM, CRITERIA, NEW_TEST, PLAN, TEST_ITEM, build, make_site, retry
from tests.orchestrator.crew import BASE, OTHER, RUN, suite
from tests.orchestrator.stage import AUTO_ALL, Stage
from tests.orchestrator.test_gates import ScriptedDesk

NOTHING_BEFORE: list[str] = []
EDIT = make("new.py", None, "2\n")
STRAY = make("new.py", "somebody else's\n", "2\n")
"""A diff of a file that is not there like this."""
PATCHES = AUTO_ALL.model_copy(update={"patches": HUMAN})


def bundle_of(stage: Stage) -> Bundle:
    return Bundle.model_validate_json((stage.paths.bundles / RUN / "bundle.json").read_bytes())


def said(verdict: str, **more: object) -> ScriptedDesk:
    """A desk that answers like this, whatever is asked."""

    def reply(request: GateRequest, problem: str) -> GateDecision:
        return answer(request, verdict, by="ann", via="terminal", **more)  # pyright: ignore[reportArgumentType]

    return ScriptedDesk(reply)


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


async def test_the_code_writer_is_told_which_tests_to_pass(stage: Stage) -> None:
    """The tests that were just written are what its versions are chosen by."""
    crew = make_site(stage)
    await build(stage)
    asked = next(each for each in crew.asked if isinstance(each, WriteParams))
    assert (asked.path, asked.tests) == ("new.py", (NEW_TEST,))
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
    """Its prompt holds the failing test, its message, and the diff, as data."""
    crew = make_site(stage)
    crew.texts["new.py"] = ["1\n", "2\n"]
    crew.replies["judge"] = [retry()]
    await build(stage)
    prompt = next(each for each in crew.asked_of_model if each.reply_name == "judge")
    text = prompt.turns[0].text
    assert NEW_TEST in text
    assert "+1" in text
    assert "Make it so." in text


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


async def test_what_could_not_be_written_is_tried_again_with_the_reason_and_then_given_up(stage: Stage) -> None:
    """A writer that never manages ends the run, with what it said; nothing is handed over."""
    crew = make_site(stage)
    crew.texts["new.py"] = [None, None, None]
    outcome = await build(stage)
    assert outcome.exit_code == 1
    assert "the model did not manage" in outcome.state.reason
    assert len([each for each in crew.asked if isinstance(each, WriteParams)]) == 3
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


async def test_without_a_model_the_run_says_what_is_missing(stage: Stage) -> None:
    """Nothing is guessed: it ends before any plan, with the way out."""
    crew = make_site(stage, ready=False)
    outcome = await build(stage)
    assert outcome.exit_code == 1
    assert "no key" in outcome.state.reason
    assert crew.asked_of_model == []


async def test_a_rejected_change_is_taken_back_and_all_of_it_written_again(stage: Stage) -> None:
    """The person's reason goes to every writer of the next round."""
    crew = make_site(stage)
    crew.texts = {"tests/test_new.py": ["t1\n", "t2\n"], "new.py": ["2\n", "2\n"]}
    answers = iter(["reject", "approve"])

    def reply(request: GateRequest, problem: str) -> GateDecision:
        return answer(request, next(answers), by="ann", via="terminal", reason="Use a table.")  # pyright: ignore[reportArgumentType]

    outcome = await build(stage, PATCHES, ScriptedDesk(reply))
    assert outcome.exit_code == 0, outcome.state.reason
    assert "workspace.revert" in crew.effects
    second = [each for each in crew.asked if isinstance(each, WriteParams | WriteTestsParams)][2:]
    assert [each.feedback for each in second] == [("Use a table.",), ("Use a table.",)]


async def test_a_diff_a_person_edited_is_what_goes_on(stage: Stage) -> None:
    """It takes the place of everything that was written, and is theirs in the history."""
    make_site(stage)
    outcome = await build(stage, PATCHES, said("modify", diff=EDIT))
    assert outcome.exit_code == 0, outcome.state.reason
    bundle = bundle_of(stage)
    assert [commit.agent for commit in bundle.commits] == ["person"]
    assert bundle.patch.files == ("new.py",)
    assert bundle.proposal is None


async def test_an_edited_diff_that_does_not_apply_is_given_back(stage: Stage) -> None:
    """The person sees their text again with the reason; what was written stands as it did."""
    crew = make_site(stage)
    shown: list[RefusedEdit | None] = []

    def reply(request: GateRequest, problem: str) -> GateDecision:
        assert isinstance(request.subject, PatchSet)
        shown.append(request.subject.edit)
        if len(shown) == 1:
            return answer(request, "modify", by="ann", via="terminal", diff=STRAY)
        return answer(request, "approve", by="ann", via="terminal")

    outcome = await build(stage, PATCHES, ScriptedDesk(reply))
    assert outcome.exit_code == 0, outcome.state.reason
    assert [each.diff if each else None for each in shown] == [None, STRAY]
    assert shown[1] is not None
    assert "line" in shown[1].reason
    bundle = bundle_of(stage)
    assert [commit.agent for commit in bundle.commits] == ["test_writer", "code_writer"]
    assert bundle.patch.files == ("new.py", "tests/test_new.py")
    assert len([each for each in crew.asked if isinstance(each, WriteParams | WriteTestsParams)]) == 2


async def test_an_edited_diff_that_is_mended_goes_on(stage: Stage) -> None:
    """Given back, edited again, and taken."""
    make_site(stage)
    diffs = iter([STRAY, EDIT])

    def reply(request: GateRequest, problem: str) -> GateDecision:
        return answer(request, "modify", by="ann", via="terminal", diff=next(diffs))

    outcome = await build(stage, PATCHES, ScriptedDesk(reply))
    assert outcome.exit_code == 0, outcome.state.reason
    assert [gate.gate for gate in outcome.state.gates] == ["plan", "patches-1", "patches-1-edit-1", "handoff"]
    assert bundle_of(stage).patch.files == ("new.py",)


async def test_an_edited_diff_that_loses_the_tests_is_for_a_person_to_keep(stage: Stage) -> None:
    """What is not simply better is asked about, also where a person wrote it; their no goes to the next round."""
    crew = make_site(stage, texts={"tests/test_new.py": ["t\n", "t\n"], "new.py": ["2\n", "2\n"]})
    crew.verdict = lambda tree: suite(
        {OTHER: "passed"} if "tests/test_new.py" not in tree else {OTHER: "passed", NEW_TEST: "passed"}
    )
    kinds: list[str] = []

    def reply(request: GateRequest, problem: str) -> GateDecision:
        kinds.append(request.kind)
        if kinds == ["patches"]:
            return answer(request, "modify", by="ann", via="terminal", diff=EDIT)
        verdict = "reject" if request.kind == "escalation" else "approve"
        return answer(request, verdict, by="ann", via="terminal", reason="Keep the tests.")

    outcome = await build(stage, PATCHES, ScriptedDesk(reply))
    assert kinds == ["patches", "escalation", "patches"]
    assert outcome.exit_code == 0, outcome.state.reason
    assert [each.feedback for each in crew.asked if isinstance(each, WriteParams)] == [(), ("Keep the tests.",)]
    assert [commit.agent for commit in bundle_of(stage).commits] == ["test_writer", "code_writer"]


@pytest.mark.parametrize("text", ["2\n", "1\n"], ids=["at the patches", "at the escalation"])
async def test_rejecting_what_the_last_round_brought_ends_the_run_as_rejected(stage: Stage, text: str) -> None:
    """Exit code 4, with the person's reason and name: it is their no that ends it, not a failure."""
    make_site(stage).texts["new.py"] = [text]
    outcome = await build(stage, PATCHES, said("reject", reason="not this way"), fix_rounds=0)
    assert (outcome.exit_code, outcome.state.reason, outcome.state.by) == (4, "not this way", "ann")
    assert stage.checkout.delivered == []
    assert stage.crew.effects[-1] == "workspace.close"


async def test_an_edited_plan_is_what_is_carried_out(stage: Stage) -> None:
    """A person may reword the work; agents stay those of the workflow."""
    crew = make_site(stage)

    def reply(request: GateRequest, problem: str) -> GateDecision:
        assert isinstance(request.subject, Plan)
        first, second = request.subject.work
        plan = request.subject.model_copy(
            update={"work": (first, second.model_copy(update={"instruction": "Return exactly 2."}))}
        )
        return answer(request, "modify", by="ann", via="terminal", plan=plan)

    outcome = await build(
        stage, Policy(plan=HUMAN, patches=GatePolicy(mode="auto"), handoff=GatePolicy(mode="auto")), ScriptedDesk(reply)
    )
    assert outcome.exit_code == 0, outcome.state.reason
    assert next(each for each in crew.asked if isinstance(each, WriteParams)).instruction == "Return exactly 2."
    assert outcome.state.metrics.human_edits == 1


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
