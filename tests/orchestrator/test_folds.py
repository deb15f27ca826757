"""State, metrics, comparison and policy: pure functions, checked over many inputs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.bundle import Comparison
from contracts.failure import Failure
from contracts.gate import VERDICTS, Escalation, GateDecision, GateRequest, PatchSet, Verdict, Via
from contracts.gate_policy import GateKind, GatePolicy, Policy
from contracts.metrics import Metrics
from contracts.run import (
    CallFinishedEvent,
    CallIntendedEvent,
    Event,
    GateClosedEvent,
    GateDecidedEvent,
    GateOpenedEvent,
    RunAbortedEvent,
    RunFailedEvent,
    RunHandedOverEvent,
    RunResumedEvent,
    RunStartedEvent,
    StepFinishedEvent,
    StepStartedEvent,
    ValueRecordedEvent,
    What,
)
from contracts.sandbox import SandboxLevel, SandboxReport
from contracts.static_analyzer import Finding
from contracts.test_runner import TestOutcome
from orchestrator.compare import compare, lowest, new_findings, outcomes
from orchestrator.metrics import measure
from orchestrator.planner import edit_problem, make_plan
from orchestrator.policies import answer, by_policy, problem
from orchestrator.state import fold
from tests.orchestrator.crew import GOOD, RUN, SANDBOX, TEST, proposal, suite, tried
from tests.orchestrator.stage import OFFERED, TASK, WORKFLOW

START = datetime(2026, 1, 1, tzinfo=UTC)
PLAN = make_plan(WORKFLOW, TASK, OFFERED, [TEST], [])
SHA = "0" * 64


def decision(gate: str, via: Via = "command") -> GateDecision:
    return GateDecision(run=RUN, gate=gate, subject_sha256=SHA, verdict="approve", by="ann", via=via, at=START)


def gate_decided(gate: str, via: Via) -> What:
    return GateDecidedEvent(gate=gate, decision=decision(gate, via))


STEPS = st.sampled_from(["ingest", "propose/1", "propose/2", "apply/1"])
CALLS = st.sampled_from(["1" * 32, "2" * 32, "3" * 32])
GATES = st.sampled_from(["plan", "patches-1", "handoff"])
SERVERS = st.sampled_from(["workspace", "test_runner"])
FAILURES = st.sampled_from([None, Failure(kind="internal", message="broken")])

WHATS: st.SearchStrategy[What] = st.one_of(
    st.builds(RunResumedEvent, by=st.just("me")),
    st.builds(StepStartedEvent, step=STEPS, title=st.just("t"), agent=SERVERS),
    st.builds(StepFinishedEvent, step=STEPS, ok=st.booleans(), summary=st.just("")),
    st.builds(
        CallIntendedEvent, step=STEPS, call_id=CALLS, server=SERVERS, tool=st.just("run"), params_sha256=st.just(SHA)
    ),
    st.builds(CallFinishedEvent, step=STEPS, call_id=CALLS, result_sha256=st.none(), failure=FAILURES),
    st.builds(ValueRecordedEvent, step=STEPS, value=st.just({"a": 1})),
    st.builds(
        GateOpenedEvent,
        step=STEPS,
        gate=GATES,
        kind=st.sampled_from(["plan", "patches", "handoff", "escalation"]),
        subject_sha256=st.just(SHA),
        expires_at=st.just(START),
    ),
    st.builds(gate_decided, GATES, st.sampled_from(["policy", "terminal"])),
    st.builds(GateClosedEvent, gate=GATES, why=st.just("expired"), reason=st.just("")),
    st.builds(
        RunHandedOverEvent, branch=st.just("b"), head=st.just("h"), bundle=st.just("/b"), bundle_sha256=st.just(SHA)
    ),
    st.builds(RunFailedEvent, reason=st.just("r")),
    st.builds(RunAbortedEvent, verdict=st.just("abort"), reason=st.just(""), by=st.just("ann")),
)


def at_times(whats: Sequence[tuple[What, float]]) -> list[Event]:
    at, events = (
        START,
        [Event(run=RUN, n=1, at=START, what=RunStartedEvent(task=TASK, workflow=WORKFLOW, policy=Policy()))],
    )
    for what, seconds in whats:
        at += timedelta(seconds=seconds)
        events.append(Event(run=RUN, n=len(events) + 1, at=at, what=what))
    return events


HISTORIES = st.lists(st.tuples(WHATS, st.floats(min_value=0, max_value=1e4)), max_size=25).map(at_times)


@given(HISTORIES)
def test_every_prefix_of_a_history_has_a_state(events: list[Event]) -> None:
    """Whatever happened in whatever order, the fold of each prefix is a state, and tells its events apart."""
    for length in range(1, len(events) + 1):
        state = fold(events[:length])
        assert state.events == length
        assert state.ended == (state.ended_at is not None)
        assert (state.status == "waiting") == (not state.ended and state.open_gate is not None)


@given(HISTORIES)
def test_a_state_is_the_same_after_a_trip_through_the_ledger(events: list[Event]) -> None:
    """Events as bytes and back fold to the same state, and a state survives JSON."""
    stored = [Event.model_validate_json(event.model_dump_json()) for event in events]
    assert fold(stored) == fold(events)


@given(HISTORIES)
def test_every_second_is_spent_on_exactly_one_thing(events: list[Event]) -> None:
    """Tools, human waiting, down time and overhead add up to the time from the first to the last event."""
    found = measure(events)
    elapsed = (events[-1].at - events[0].at).total_seconds()
    assert found.total_s == pytest.approx(elapsed)
    assert found.tools_s + found.human_s + found.down_s + found.overhead_s == pytest.approx(elapsed)
    assert all(step.seconds <= elapsed + 1e-6 for step in found.steps)


@given(HISTORIES, st.floats(min_value=1, max_value=1e4))
def test_waiting_longer_for_a_person_changes_only_the_waiting(events: list[Event], longer: float) -> None:
    """However long somebody thinks at a gate, no other figure moves."""
    opened = Event(
        run=RUN,
        n=1,
        at=START,
        what=GateOpenedEvent(step="plan", gate="last", kind="plan", subject_sha256=SHA, expires_at=START),
    )
    decided = opened.model_copy(update={"what": GateDecidedEvent(gate="last", decision=decision("last"))})

    def after(seconds: float) -> Metrics:
        end = events[-1].at
        return measure(
            [
                *events,
                opened.model_copy(update={"at": end}),
                decided.model_copy(update={"at": end + timedelta(seconds=seconds)}),
            ]
        )

    soon, late = after(0), after(longer)
    assert late.human_s == pytest.approx(soon.human_s + longer)
    assert (late.tools_s, late.overhead_s, late.down_s) == (soon.tools_s, soon.overhead_s, soon.down_s)
    assert late.ready_s == soon.ready_s


def test_time_is_given_to_what_was_under_way() -> None:
    """One second each: overhead, a tool, a person, no orchestrator, and a policy's decision as overhead."""
    call = CallIntendedEvent(step="ingest", call_id="1" * 32, server="workspace", tool="open", params_sha256=SHA)
    done = CallFinishedEvent(step="ingest", call_id="1" * 32, result_sha256=SHA)
    gate = GateOpenedEvent(step="plan", gate="plan", kind="plan", subject_sha256=SHA, expires_at=START)
    whats: list[What] = [
        call,
        done,
        gate,
        GateDecidedEvent(gate="plan", decision=decision("plan")),
        RunResumedEvent(by="me"),
        gate,
        GateDecidedEvent(gate="plan", decision=decision("plan", "policy")),
    ]
    found = measure(at_times([(what, 1.0) for what in whats]))
    assert (found.tools_s, found.human_s, found.down_s, found.overhead_s) == (1, 1, 1, 4)
    assert [(each.agent, each.calls, each.failed, each.seconds) for each in found.calls] == [("workspace", 1, 0, 1)]
    assert found.resumes == 1


OUTCOMES = st.sampled_from(["passed", "failed", "error", "skipped", "xfailed", "xpassed"])
SUITES = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), OUTCOMES)


@given(SUITES, SUITES, st.lists(st.sampled_from(["a", "b"]), unique=True))
def test_a_suite_is_better_only_if_nothing_that_ran_is_worse(
    before: dict[str, TestOutcome], after: dict[str, TestOutcome], failing: list[str]
) -> None:
    """`better` means: all that was to turn green passes, no test is newly red, none has stopped running."""
    found = compare(suite(before), suite(after), failing)
    red = {test for test, outcome in after.items() if outcome in ("failed", "error")}
    was_red = {test for test, outcome in before.items() if outcome in ("failed", "error")}
    ran = {test for test, outcome in after.items() if outcome != "skipped"}
    if found.verdict == "better":
        assert set(failing) <= ran - red
        assert red <= was_red
        assert {test for test, outcome in before.items() if outcome != "skipped"} <= ran
    if found.verdict == "regressed":
        assert set(found.regressed) == red - was_red - set(failing) != set()


@given(SUITES)
def test_a_suite_that_did_not_finish_is_never_better(before: dict[str, TestOutcome]) -> None:
    """A stopped, broken, empty or uncollectable suite approves nothing, whatever its cases say."""
    for outcome in ("stopped", "broken", "no_tests", "collection_error"):
        after = suite(before, outcome=outcome)
        assert compare(suite(before), after, []).verdict in ("unclear", "regressed")


def test_a_test_named_twice_has_its_worst_outcome() -> None:
    """A report that names a test once passed and once failed has it failed."""
    first = suite({"a": "failed"})
    twice = first.model_copy(update={"cases": (*first.cases, *suite({"a": "passed"}).cases)})
    assert outcomes(twice) == {"a": "failed"}


FINDINGS = st.lists(
    st.builds(
        Finding,
        rule=st.sampled_from(["E1", "F2"]),
        level=st.just("error"),
        message=st.sampled_from(["m", "n"]),
        path=st.just("x.py"),
        line=st.integers(1, 50),
        column=st.just(1),
    ),
    max_size=6,
)


@given(FINDINGS, FINDINGS)
def test_new_findings_are_those_beyond_what_was_there(before: list[Finding], after: list[Finding]) -> None:
    """A finding that moved to another line is not new; one that appears more often is, as often as it does."""
    new = new_findings(before, after)
    assert len(new) >= len(after) - len(before)
    assert new_findings(before, [each.model_copy(update={"line": each.line + 9}) for each in before]) == ()
    assert len(new_findings((), after)) == len(after)


@given(st.lists(st.sampled_from(["full", "reduced", "weak", "none"]), min_size=1))
def test_a_bundle_names_the_weakest_sandbox(levels: list[SandboxLevel]) -> None:
    """One run without a sandbox among many is what counts."""
    reports = [SandboxReport(level=level, backend="none") for level in levels]
    order = ["none", "weak", "reduced", "full"]
    assert order.index(lowest(reports)) == min(order.index(level) for level in levels)


def request_for(subject: PatchSet | Escalation) -> GateRequest:
    return GateRequest(
        run=RUN,
        gate="g",
        subject_sha256=subject.digest(),
        subject=subject,
        opened_at=START,
        expires_at=START + timedelta(hours=1),
    )


def patch_set(rivals: int = 0, suite_failed: int = 0) -> PatchSet:
    best = proposal(GOOD)
    evidence = best.evidence.model_copy(update={"suite_failed": suite_failed})
    proposals = (best.model_copy(update={"evidence": evidence}), *[proposal(GOOD, f"rival {n}") for n in range(rivals)])
    return PatchSet(run=RUN, round=1, head="h", proposals=proposals, engine="search", tried=tried(), sandbox=SANDBOX)


@given(st.integers(0, 3), st.integers(0, 2), st.integers(0, 3), st.integers(0, 3), st.booleans())
def test_auto_if_approves_exactly_when_all_its_conditions_hold(
    rivals: int, red: int, max_rivals: int, max_lines: int, green: bool
) -> None:
    """Rivals, red tests and changed lines (two here) each keep the rule from approving."""
    policy = GatePolicy(mode="auto-if", max_rivals=max_rivals, max_changed_lines=max_lines, tests_green=green)
    holds = rivals <= max_rivals and max_lines >= 2 and not (green and red)
    found = by_policy(policy, request_for(patch_set(rivals, red)), START)
    assert (found is not None) == holds
    assert found is None or (found.verdict, found.via) == ("approve", "policy")


@given(st.sampled_from(["human", "auto", "auto-if"]))
def test_no_rule_decides_an_escalation(mode: str) -> None:
    """It was opened because a rule could not tell."""
    unclear = Comparison(verdict="unclear", reason="?")
    asked = request_for(Escalation(run=RUN, round=1, question="?", diff=GOOD, comparison=unclear))
    assert by_policy(GatePolicy.model_validate({"mode": mode}), asked, START) is None


@given(
    st.sampled_from(["approve", "modify", "reject", "abort"]),
    st.integers(0, 3),
    st.sampled_from([None, "", "no diff", GOOD]),
    st.sampled_from(["", "because"]),
    st.booleans(),
)
def test_a_decision_counts_only_if_all_of_it_fits(
    verdict: Verdict, choice: int, diff: str | None, reason: str, with_plan: bool
) -> None:
    """What passes the check has an allowed verdict, a choice that was shown, and an edit exactly where it modifies."""
    asked = request_for(patch_set(rivals=1))
    plan = PLAN if with_plan else None
    given_answer = answer(
        asked, verdict, by="a", via="web", choice=choice, diff=diff, reason=reason, plan=plan, at=START
    )
    fits = (
        not with_plan
        and (diff == GOOD) == (verdict == "modify")
        and (diff is None or verdict == "modify")
        and (choice < 2 or verdict == "modify")
        and (reason != "" or verdict != "reject")
    )
    assert (problem(asked, given_answer, START) == "") == fits


@pytest.mark.parametrize("kind", ["handoff", "escalation"])
def test_what_is_finished_cannot_be_modified(kind: GateKind) -> None:
    """Bundles and escalations are approved, rejected or aborted."""
    assert "modify" not in VERDICTS[kind]


def test_a_request_whose_digest_is_not_its_subjects_is_no_request() -> None:
    """The digest that is approved is always the one of what is shown."""
    subject = patch_set()
    with pytest.raises(ValueError, match="digest of the subject"):
        GateRequest(run=RUN, gate="g", subject_sha256=SHA, subject=subject, opened_at=START, expires_at=START)


@given(st.sets(st.sampled_from([step.id for step in PLAN.steps])))
def test_a_plan_loses_nothing_but_optional_steps(dropped: set[str]) -> None:
    """Dropping steps is accepted exactly when all of them are optional."""
    edited = PLAN.model_copy(update={"steps": tuple(step for step in PLAN.steps if step.id not in dropped)})
    optional = {step.id for step in PLAN.steps if step.optional}
    assert (edit_problem(PLAN, edited) == "") == (dropped <= optional)


def test_a_plan_is_about_tests_that_were_seen_failing() -> None:
    """An edited plan narrows the tests and adds none."""
    assert edit_problem(PLAN, PLAN.model_copy(update={"failing": ()}))
    assert "not seen failing" in edit_problem(PLAN, PLAN.model_copy(update={"failing": (TEST, "other")}))
    assert edit_problem(PLAN, PLAN.model_copy(update={"run": "r-other"}))
