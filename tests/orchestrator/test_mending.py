"""What is written again, and from where, when a round does not hold."""

from __future__ import annotations

import json

import pytest

from contracts.code_writer import WriteParams
from contracts.gate import GateDecision, GateRequest
from contracts.gate_policy import HUMAN
from contracts.test_runner import RunResult, TestCase
from contracts.test_writer import WriteTestsParams
from orchestrator.policies import answer
from tests.orchestrator.builders import NEW_TEST, PLAN, TEST_ITEM, build, make_site, retry
from tests.orchestrator.crew import OTHER, suite
from tests.orchestrator.stage import AUTO_ALL, Stage
from tests.orchestrator.test_gates import ScriptedDesk


async def test_tests_that_are_wrong_are_written_again_on_the_tree_as_it_was(stage: Stage) -> None:
    """They can only be seen to fail where the code is not; so all is taken back, and written anew."""
    crew = make_site(stage)
    crew.texts = {"tests/test_new.py": ["assert new() == 3\n", "assert new() == 2\n"], "new.py": ["2\n", "2\n"]}
    crew.replies["judge"] = [retry("say", "The test asks for 3.")]
    crew.verdict = lambda tree: suite(
        {OTHER: "passed", NEW_TEST: "failed" if "3" in tree["tests/test_new.py"] else "passed"}
    )
    outcome = await build(stage)
    assert outcome.exit_code == 0, outcome.state.reason
    tests = [each.feedback for each in crew.asked if isinstance(each, WriteTestsParams)]
    code = [each.feedback for each in crew.asked if isinstance(each, WriteParams)]
    assert (tests, code) == ([(), ("The test asks for 3.",)], [(), ()])
    assert crew.effects.index("workspace.revert") < len(crew.effects) - 1


async def test_a_change_a_person_does_not_keep_is_taken_back_before_the_next_round(stage: Stage) -> None:
    """The reason goes to everybody, and they begin with the tree as it was."""
    crew = make_site(stage)
    crew.texts = {"tests/test_new.py": ["t1\n", "t2\n"], "new.py": ["1\n", "2\n"]}
    crew.replies["judge"] = [{"decision": "escalate", "reason": "Nobody can tell."}]
    answers = iter(["reject", "approve"])

    def reply(request: GateRequest, problem: str) -> GateDecision:
        return answer(request, next(answers), by="ann", via="terminal", reason="It is 2.")  # pyright: ignore[reportArgumentType]

    outcome = await build(stage, AUTO_ALL.model_copy(update={"handoff": HUMAN}), ScriptedDesk(reply))
    assert outcome.exit_code == 0, outcome.state.reason
    assert crew.effects.count("workspace.revert") == 1
    assert [each.feedback for each in crew.asked if isinstance(each, WriteParams)] == [(), ("It is 2.",)]


async def test_no_code_is_written_before_its_tests_stand(stage: Stage) -> None:
    """Where the tests could not be written, the code waits for the next round."""
    crew = make_site(stage)
    crew.texts["tests/test_new.py"] = [None, "assert new() == 2\n"]
    outcome = await build(stage)
    assert outcome.exit_code == 0, outcome.state.reason
    writes = [effect for effect in crew.effects if effect.endswith(".write")]
    assert writes == ["test_writer.write", "test_writer.write", "code_writer.write"]
    steps = {step.step: step.status for step in outcome.state.steps}
    assert (steps["write-tests/1/say"], steps["write-tests/2/say"]) == ("failed", "done")


async def test_failures_without_a_name_are_told_apart_by_their_reason(stage: Stage) -> None:
    """A suite that does not collect names no test; two different reasons are not the same failure."""
    crew = make_site(stage)
    crew.texts["new.py"] = ["1\n", "3\n", "2\n"]
    crew.replies["judge"] = [retry(), retry()]
    right = suite({OTHER: "passed", NEW_TEST: "passed"})
    crew.verdict = lambda tree: (
        right
        if tree["new.py"] == "2\n"
        else suite({}, outcome="collection_error", reason=f"it stumbles over {tree['new.py']}")
    )
    assert (await build(stage)).exit_code == 0
    assert [each.reply_name for each in crew.asked_of_model] == ["plan", "judge", "judge"]


async def test_a_failure_that_differs_only_in_where_objects_lay_is_the_same(stage: Stage) -> None:
    """Addresses in a test's message change from run to run; they make no new failure of an old one."""
    crew = make_site(stage)
    crew.texts["new.py"] = ["1\n", "3\n", "2\n"]
    crew.replies["judge"] = [retry()]

    def verdict(tree: dict[str, str]) -> RunResult:
        at = {"1\n": "0x7f01", "3\n": "0x7f02"}[tree["new.py"]]
        message = f"assert <object object at {at}> == 2"
        return suite({}, outcome="failed", cases=(TestCase(id=NEW_TEST, outcome="failed", message=message),))

    crew.verdict = verdict
    outcome = await build(stage)
    assert outcome.waiting is not None
    assert "twice in a row" in outcome.waiting.subject.model_dump_json()


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"decision": "retry", "reason": "It is wrong."}, "a retry has to say what to change"),
        (retry("nobody"), "there is no item nobody; there are code, say"),
        ({"decision": "rewrite", "reason": "It is wrong."}, "decision"),
    ],
    ids=["what", "whom", "how"],
)
async def test_a_judgement_that_cannot_be_acted_on_is_sent_back_once(
    stage: Stage, wrong: dict[str, object], why: str
) -> None:
    """It is retry with what to change, accept, or escalate; anything else is asked again with what is wrong with it."""
    crew = make_site(stage)
    crew.texts["new.py"] = ["1\n", "2\n"]
    crew.replies["judge"] = [wrong, retry()]
    assert (await build(stage)).exit_code == 0
    assert why in crew.asked_of_model[-1].turns[-1].text


async def test_a_planner_is_shown_its_answer_as_it_gave_it(stage: Stage) -> None:
    """Not wrapped in anything: what it sees of itself is what it imitates."""
    crew = make_site(stage)
    wrong: dict[str, object] = {**PLAN, "work": [{**TEST_ITEM, "agent": "workspace"}]}
    crew.replies["plan"] = [wrong, PLAN]
    await build(stage)
    assert json.loads(crew.asked_of_model[1].turns[1].text) == wrong
