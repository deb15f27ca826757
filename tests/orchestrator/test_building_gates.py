"""What people decide about written work, and what becomes of it then."""

from __future__ import annotations

import pytest

from contracts.code_writer import WriteParams
from contracts.diff import make
from contracts.gate import GateDecision, GateRequest, PatchSet, RefusedEdit
from contracts.gate_policy import HUMAN, GatePolicy, Policy
from contracts.test_writer import WriteTestsParams
from contracts.workflow import Plan
from orchestrator.policies import answer
from tests.orchestrator.builders import NEW_TEST, build, make_site
from tests.orchestrator.crew import OTHER, suite
from tests.orchestrator.stage import AUTO_ALL, Stage
from tests.orchestrator.test_building import bundle_of
from tests.orchestrator.test_gates import ScriptedDesk

PATCHES = AUTO_ALL.model_copy(update={"patches": HUMAN})
EDIT = make("new.py", None, "2\n")
STRAY = make("new.py", "somebody else's\n", "2\n")
"""A diff of a file that is not there like this."""


def said(verdict: str, **more: object) -> ScriptedDesk:
    """A desk that answers like this, whatever is asked."""

    def reply(request: GateRequest, problem: str) -> GateDecision:
        return answer(request, verdict, by="ann", via="terminal", **more)  # pyright: ignore[reportArgumentType]

    return ScriptedDesk(reply)


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
