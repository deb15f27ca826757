"""The loop, over the in-memory bus with a crew that follows a script."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import pytest

from contracts.bundle import Bundle
from contracts.code_writer import ProposeParams
from contracts.diff import make
from contracts.failure import Failure
from contracts.gate_policy import HUMAN
from contracts.run import ValueRecordedEvent
from contracts.static_analyzer import CheckParams, Finding
from contracts.test_runner import RunResult
from contracts.workspace import CommitParams
from orchestrator.errors import CrewIncomplete
from tests.orchestrator.crew import BAD, GOOD, OTHER, RUN, TEST, proposal, suite
from tests.orchestrator.stage import AUTO_ALL, OFFERED, TASK, WORKFLOW, Stage

HAPPY = [
    "workspace.open",
    "test_runner.run",
    "test_runner.run",
    "code_writer.propose",
    "static_analyzer.check",
    "workspace.apply",
    "workspace.commit",
    "static_analyzer.check",
    "test_runner.run",
    "workspace.diff",
    "workspace.export",
    "workspace.close",
]


WORSE = make("x.py", "a - b\n", "a / b\n")


def bundle_of(stage: Stage) -> Bundle:
    return Bundle.model_validate_json((stage.paths.bundles / RUN / "bundle.json").read_bytes())


async def test_a_bug_is_handed_over_when_every_gate_is_automatic(stage: Stage) -> None:
    """With a plausible patch and automatic gates the run is handed over: exit code 0, each call made once, in order."""
    outcome = await stage.run()
    assert (outcome.exit_code, outcome.state.status, outcome.state.branch) == (0, "handed_over", f"podium/{RUN}")
    assert stage.crew.effects == HAPPY
    assert stage.checkout.delivered == [outcome.state.head]
    assert [gate.kind for gate in outcome.state.gates] == ["plan", "patches", "handoff"]
    assert {gate.decision.via for gate in outcome.state.gates if gate.decision} == {"policy"}
    assert "propose/1/propose" in stage.watcher.progress


async def test_the_bundle_holds_what_the_handoff_gate_showed(stage: Stage) -> None:
    """The digest at the gate is the sha256 of bundle.json; patch, summary and branch lie beside it."""
    outcome = await stage.run()
    folder = Path(outcome.state.bundle)
    shown = next(gate.subject_sha256 for gate in outcome.state.gates if gate.kind == "handoff")
    assert hashlib.sha256((folder / "bundle.json").read_bytes()).hexdigest() == shown == outcome.state.bundle_sha256
    assert (folder / "changes.patch").read_text() == GOOD
    assert sorted(file.name for file in folder.iterdir()) == [
        "branch.bundle",
        "bundle.json",
        "changes.patch",
        "summary.md",
    ]
    bundle = bundle_of(stage)
    assert (bundle.before.counts.failed, bundle.after.counts.failed) == (1, 0)
    assert bundle.comparison.turned_green == (TEST,)
    assert TEST in (folder / "summary.md").read_text()


async def test_a_commit_names_the_step_and_the_agent_it_comes_from(stage: Stage) -> None:
    """The commit carries the step path, the agent that proposed it, and what was asked for."""
    await stage.run()
    commit = next(each for each in stage.crew.asked if isinstance(each, CommitParams))
    assert (commit.step, commit.agent) == ("apply/1", "code_writer")
    assert "y is wrong" in commit.body


async def test_a_patch_that_breaks_another_test_is_taken_back_and_told_to_the_next_round(stage: Stage) -> None:
    """A regression reverts the worktree; the next round gets the patch's digest and the broken test's name."""
    stage.crew.proposals = (proposal(BAD), proposal(GOOD))
    outcome = await stage.run()
    rounds = [each for each in stage.crew.asked if isinstance(each, ProposeParams)]
    assert outcome.state.status == "handed_over"
    assert rounds[0].feedback == ()
    assert [each.patch_sha256 for each in rounds[1].feedback] == [proposal(BAD).patch.sha256]
    assert OTHER in rounds[1].feedback[0].reason
    assert stage.crew.applied == GOOD
    assert bundle_of(stage).metrics.rounds == 2


async def test_a_suite_that_did_not_get_better_is_a_step_that_failed(stage: Stage) -> None:
    """Whatever the tests printed: it is shown as failed in the round that broke something, as done in the next."""
    stage.crew.proposals = (proposal(BAD), proposal(GOOD))
    steps = {step.step: step.status for step in (await stage.run()).state.steps}
    assert (steps["test/1"], steps["test/2"]) == ("failed", "done")


async def test_rounds_are_bounded(stage: Stage) -> None:
    """When no change holds within the rounds the plan allows, the run fails, says why, and cleans up."""
    stage.crew.proposals = (proposal(BAD), proposal(GOOD))
    outcome = await stage.run(fix_rounds=0)
    assert (outcome.exit_code, outcome.state.status) == (1, "failed")
    assert OTHER in outcome.state.reason
    assert "fix_rounds" in outcome.state.way_out
    assert stage.crew.effects[-1] == "workspace.close"
    assert stage.checkout.delivered == []


async def test_finding_nothing_says_what_was_tried(stage: Stage) -> None:
    """Without a plausible patch the run fails with the number of candidates and the most suspicious line."""
    stage.crew.proposals = ()
    outcome = await stage.run()
    assert outcome.exit_code == 1
    assert "No plausible patch" in outcome.state.reason
    assert "10 candidates" in outcome.state.reason
    assert "x.py:1" in outcome.state.reason


@pytest.mark.parametrize(("engine", "way_out"), [("search", "`--engine model`"), ("auto", "once there is one to ask")])
async def test_where_the_search_was_not_enough_the_way_out_is_one_that_was_not_tried(
    stage: Stage, engine: Literal["search", "auto"], way_out: str
) -> None:
    """Whoever had a model asked after the search, and has none, is not told to ask for it."""
    stage.crew.proposals = ()
    outcome = await stage.conductor().start(TASK.model_copy(update={"engine": engine}), WORKFLOW, AUTO_ALL)
    assert way_out in outcome.state.way_out


@pytest.mark.parametrize(
    ("alone", "words"),
    [
        (suite({}, outcome="no_tests", reason="not found: test_y"), "No such test"),
        (suite({TEST: "passed"}), "already green"),
        (suite({}, outcome="collection_error", reason="SyntaxError in x.py"), "SyntaxError in x.py"),
        (suite({}, outcome="stopped", reason="after 600 s"), "stopped"),
        (suite({}, outcome="broken", reason="no pytest"), "no pytest"),
    ],
)
async def test_a_test_that_does_not_show_a_bug_ends_the_run_with_a_way_out(
    stage: Stage, alone: RunResult, words: str
) -> None:
    """No such test, one that is green, and one that cannot run are told apart, before anything is searched."""
    stage.crew.alone = alone
    outcome = await stage.run()
    assert outcome.exit_code == 1
    assert words in outcome.state.reason
    assert outcome.state.way_out
    assert "code_writer.propose" not in stage.crew.effects


@pytest.mark.parametrize(
    "before",
    [
        suite({}, outcome="collection_error", reason="elsewhere"),
        suite({}, outcome="stopped", reason="hangs"),
        suite({TEST: "passed", OTHER: "passed"}),
        suite({OTHER: "passed"}),
    ],
)
async def test_without_a_usable_baseline_nothing_is_searched(stage: Stage, before: RunResult) -> None:
    """A suite that does not finish, or in which the test does not fail, cannot judge a change."""
    stage.crew.before = before
    outcome = await stage.run()
    assert outcome.exit_code == 1
    assert "code_writer.propose" not in stage.crew.effects


async def test_a_suite_without_a_clear_answer_is_put_to_a_person(stage: Stage) -> None:
    """Tests that vanish are no success: even with every gate automatic, a person is asked."""
    stage.crew.after[GOOD] = suite({TEST: "passed"})
    outcome = await stage.run()
    assert outcome.exit_code == 3
    assert outcome.waiting is not None
    assert outcome.waiting.kind == "escalation"
    assert stage.crew.applied == GOOD


async def test_a_test_that_fails_only_once_is_unclear_and_not_a_regression(stage: Stage) -> None:
    """What got worse runs a second time; if it passes then, a person decides."""
    stage.crew.proposals = (proposal(BAD),)
    answers = iter([suite({TEST: "passed", OTHER: "failed"}), suite({OTHER: "passed"})])
    real = stage.crew.test_runner_run
    stage.crew.test_runner_run = lambda params: next(answers) if stage.crew.applied else real(params)
    outcome = await stage.run()
    assert outcome.waiting is not None
    assert outcome.waiting.kind == "escalation"


async def test_the_same_failure_twice_in_a_row_is_put_to_a_person(stage: Stage) -> None:
    """Two different patches that break the same test the same way: nobody pays for a third; a person may keep it."""
    stage.crew.proposals = (proposal(BAD), proposal(WORSE), proposal(GOOD))
    stage.crew.after[WORSE] = suite({TEST: "passed", OTHER: "failed"})
    outcome = await stage.run()
    assert outcome.exit_code == 3
    assert outcome.waiting is not None
    assert outcome.waiting.kind == "escalation"
    assert "twice in a row" in outcome.waiting.subject.model_dump_json()
    assert stage.crew.effects.count("code_writer.propose") == 2


async def test_another_failure_makes_another_round(stage: Stage) -> None:
    """Only the same one again is for a person."""
    stage.crew.proposals = (proposal(BAD), proposal(WORSE), proposal(GOOD))
    stage.crew.after[WORSE] = suite({TEST: "failed", OTHER: "passed"})
    outcome = await stage.run()
    assert outcome.exit_code == 0, outcome.state.reason
    assert bundle_of(stage).metrics.rounds == 3


async def test_the_linter_failing_is_a_risk_and_not_an_end(stage: Stage) -> None:
    """A linter that cannot run leaves the run going; the bundle says that nobody looked."""
    stage.crew.failures["static_analyzer.check"] = Failure(kind="unavailable", message="no ruff")
    outcome = await stage.run()
    assert outcome.exit_code == 0
    assert "No linter looked at the change." in bundle_of(stage).risks


async def test_only_new_findings_count(stage: Stage) -> None:
    """The bundle names what the linter says after the change and did not say before."""
    found = Finding(rule="E711", level="warning", message="comparison to None", path="x.py", line=1, column=1)
    stage.crew.findings = (found,)
    await stage.run()
    assert bundle_of(stage).findings_new == (found,)
    assert all(each.paths == ("x.py",) for each in stage.crew.asked if isinstance(each, CheckParams))


async def test_an_optional_step_nobody_offers_is_left_out_and_said(stage: Stage) -> None:
    """Without a linter in the crew the plan has no analyse step, and says so."""
    conductor = stage.conductor(offered=OFFERED - {"static_analyzer.check"})
    outcome = await conductor.start(TASK, WORKFLOW, AUTO_ALL)
    assert outcome.exit_code == 0
    assert "static_analyzer.check" not in stage.crew.effects
    made = next(
        each.what
        for each in stage.watcher.events
        if isinstance(each.what, ValueRecordedEvent) and each.what.step == "plan/made"
    )
    assert "Left out" in str(made.value)


async def test_nothing_is_started_without_the_crew_it_needs(stage: Stage) -> None:
    """A missing tool is said before the first event is stored."""
    with pytest.raises(CrewIncomplete, match=r"code_writer\.propose"):
        await stage.conductor(offered=OFFERED - {"code_writer.propose"}).start(TASK, WORKFLOW, AUTO_ALL)
    assert stage.watcher.events == []


async def test_a_failed_call_fails_the_run_with_its_own_words(stage: Stage) -> None:
    """A call that fails for good ends the run with its message and its way out."""
    stage.crew.failures["workspace.open"] = Failure(kind="limit", message="disk full", way_out="Make room.")
    outcome = await stage.run()
    assert outcome.exit_code == 1
    assert "disk full" in outcome.state.reason
    assert outcome.state.way_out == "Make room."


async def test_a_failure_that_may_pass_is_tried_again_under_a_new_call_id(stage: Stage) -> None:
    """Each attempt is a call of its own; after the last one the run fails."""
    stage.crew.failures["workspace.open"] = Failure(kind="unavailable", message="busy", retry=True)
    outcome = await stage.run()
    assert outcome.exit_code == 1
    assert stage.crew.effects.count("workspace.open") == 3
    assert len({call.call_id for call in outcome.state.calls}) == len(outcome.state.calls)


async def test_a_proposal_that_is_not_what_it_says_is_not_shown(stage: Stage) -> None:
    """A patch whose digest or files do not match its diff, or that touches what is to be avoided, is dropped."""
    honest = proposal(GOOD)
    lying = honest.model_copy(update={"patch": honest.patch.model_copy(update={"files": ("other.py",)})})
    stage.crew.proposals = (lying,)
    outcome = await stage.run()
    assert outcome.exit_code == 1
    assert "workspace.apply" not in stage.crew.effects


async def test_what_is_to_be_avoided_is_avoided_whatever_the_writer_proposes(stage: Stage) -> None:
    """A proposal inside an avoided folder never reaches a gate."""
    task = TASK.model_copy(update={"avoid": ("x.py",)})
    outcome = await stage.conductor().start(task, WORKFLOW, AUTO_ALL)
    assert outcome.exit_code == 1
    assert [gate.kind for gate in outcome.state.gates] == ["plan"]


async def test_a_workflow_cannot_call_what_its_step_does_not_list(stage: Stage) -> None:
    """Taking a tool out of a step's `uses` makes the loop refuse to call it."""
    steps = tuple(step.model_copy(update={"uses": ()}) if step.id == "propose" else step for step in WORKFLOW.steps)
    outcome = await stage.conductor().start(TASK, WORKFLOW.model_copy(update={"steps": steps}), AUTO_ALL)
    assert outcome.exit_code == 1
    assert "may not call code_writer.propose" in outcome.state.reason
    assert "code_writer.propose" not in stage.crew.effects


async def test_the_plan_says_who_decides_what(stage: Stage) -> None:
    """Human gates that were not made automatic stop the run there: exit code 3, nothing searched."""
    outcome = await stage.run(AUTO_ALL.model_copy(update={"plan": HUMAN}))
    assert (outcome.exit_code, outcome.state.status) == (3, "waiting")
    assert "code_writer.propose" not in stage.crew.effects
    assert "workspace.close" not in stage.crew.effects


async def test_a_patch_that_was_turned_down_is_not_shown_again(stage: Stage) -> None:
    """A writer that proposes the same again has found nothing new."""
    stage.crew.proposals, stage.crew.stubborn = (proposal(BAD),), True
    outcome = await stage.run()
    assert outcome.exit_code == 1
    assert stage.crew.effects.count("workspace.apply") == 1
    assert "not turned down before" in outcome.state.reason
