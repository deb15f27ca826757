"""Gates: which decisions count, from which door, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import anyio
import pytest

from contracts.base import utc_now
from contracts.code_writer import ProposeParams
from contracts.failure import Failure
from contracts.gate import GateDecision, GateRequest, PatchSet, RefusedEdit, Via
from contracts.gate_policy import AUTO, HUMAN, Policy
from contracts.workflow import Plan
from contracts.workspace import CommitParams
from orchestrator import gatekeeper
from orchestrator.errors import InvalidDecision
from orchestrator.gatekeeper import MAX_GATE_ATTEMPTS
from orchestrator.gates import decide, pending
from orchestrator.policies import answer, problem
from orchestrator.run import Outcome
from tests.orchestrator.crew import BAD, GOOD, RUN, TEST, proposal, suite
from tests.orchestrator.stage import AUTO_ALL, Stage

ALL_HUMAN = Policy()
PLAN = AUTO_ALL.model_copy(update={"plan": HUMAN})
PATCHES = AUTO_ALL.model_copy(update={"patches": HUMAN})
HANDOFF = AUTO_ALL.model_copy(update={"handoff": HUMAN})


async def waiting(stage: Stage, policy: Policy) -> GateRequest:
    outcome = await stage.run(policy)
    assert outcome.waiting is not None
    return outcome.waiting


async def resumed(stage: Stage, decision: GateDecision, request: GateRequest) -> Outcome:
    await decide(stage.bus, request, decision)
    return await stage.conductor().resume(RUN)


class ScriptedDesk:
    """Answers as a function of what is shown; remembers what it was asked."""

    def __init__(self, reply: Callable[[GateRequest, str], GateDecision]) -> None:
        self.reply = reply
        self.asked: list[tuple[str, str]] = []

    async def ask(self, request: GateRequest, problem: str) -> GateDecision:
        """See `Desk.ask`."""
        self.asked.append((request.gate, problem))
        await anyio.lowlevel.checkpoint()
        return self.reply(request, problem)


class PatientDesk:
    """Never answers; says when it was asked and whether it was let go."""

    def __init__(self) -> None:
        self.asked = anyio.Event()
        self.released = False

    async def ask(self, request: GateRequest, problem: str) -> GateDecision:
        """See `Desk.ask`."""
        self.asked.set()
        try:
            await anyio.sleep_forever()
        finally:
            self.released = True
        raise AssertionError


def approve(request: GateRequest, problem: str = "") -> GateDecision:
    return answer(request, "approve", by="ann", via="terminal")


def rejected(request: GateRequest, problem: str = "") -> GateDecision:
    return answer(request, "reject", by="ann", via="terminal", reason="not this way")


async def test_a_person_at_the_desk_is_asked_at_each_human_gate(stage: Stage) -> None:
    """With a desk and human gates the run asks three times and is handed over."""
    desk = ScriptedDesk(approve)
    outcome = await stage.run(ALL_HUMAN, desk)
    assert outcome.exit_code == 0
    assert desk.asked == [("plan", ""), ("patches-1", ""), ("handoff", "")]


async def test_a_run_waits_and_goes_on_after_a_decision_from_another_process(stage: Stage) -> None:
    """Without a desk the run stops at each gate (exit code 3); approve and resume bring it to the end."""
    outcome = await stage.run(ALL_HUMAN)
    for gate in ("plan", "patches-1", "handoff"):
        assert outcome.exit_code == 3
        request = await pending(stage.bus, outcome.state)
        assert request is not None
        assert request.gate == gate
        outcome = await resumed(stage, approve(request), request)
    assert outcome.exit_code == 0


async def test_a_decision_from_another_door_lets_the_desk_go(stage: Stage) -> None:
    """While a person at the terminal thinks, the first decision from elsewhere counts at once."""
    desk = PatientDesk()
    outcomes: list[Outcome] = []

    async def run() -> None:
        outcomes.append(await stage.run(PLAN, desk))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await desk.asked.wait()
        request = next(
            GateRequest.model_validate_json(kept.body)
            for kept in stage.broker.streams["LEDGER_runs"]
            if kept.subject.endswith(".request")
        )
        await decide(stage.broker.connect("person"), request, answer(request, "approve", by="bob", via="command"))
    assert outcomes[0].exit_code == 0
    assert desk.released
    assert outcomes[0].state.gates[0].decision is not None
    assert outcomes[0].state.gates[0].decision.by == "bob"


async def test_an_answer_that_does_not_fit_is_asked_for_again(stage: Stage) -> None:
    """The desk hears what was wrong with its answer and is asked once more."""

    def reply(request: GateRequest, problem: str) -> GateDecision:
        return approve(request) if problem else answer(request, "reject", by="ann", via="terminal")

    desk = ScriptedDesk(reply)
    outcome = await stage.run(PLAN, desk)
    assert outcome.exit_code == 0
    assert desk.asked == [("plan", ""), ("plan", "a rejection needs a reason")]


@pytest.mark.parametrize("policy", [PLAN, HANDOFF])
async def test_rejecting_the_plan_or_the_handover_ends_the_run(stage: Stage, policy: Policy) -> None:
    """Exit code 4, with the reason and who gave it; nothing is delivered and the worktree is removed."""
    request = await waiting(stage, policy)
    outcome = await resumed(stage, answer(request, "reject", by="ann", via="command", reason="not now"), request)
    assert (outcome.exit_code, outcome.state.reason, outcome.state.by) == (4, "not now", "ann")
    assert all(step.ended_at for step in outcome.state.steps), "nothing of an ended run goes on"
    assert stage.checkout.delivered == []
    assert stage.crew.effects[-1] == "workspace.close"


@pytest.mark.parametrize("policy", [PLAN, PATCHES, HANDOFF])
async def test_aborting_at_a_gate_ends_the_run(stage: Stage, policy: Policy) -> None:
    """Exit code 4 from every gate."""
    request = await waiting(stage, policy)
    outcome = await resumed(stage, answer(request, "abort", by="ann", via="command"), request)
    assert (outcome.exit_code, outcome.state.status) == (4, "aborted")


async def test_rejected_patches_feed_the_next_round(stage: Stage) -> None:
    """Every patch that was shown goes into the next round's feedback, with the person's reason."""
    stage.crew.proposals = (proposal(BAD),)
    request = await waiting(stage, PATCHES)
    stage.crew.proposals = (proposal(BAD), proposal(GOOD))
    outcome = await resumed(stage, answer(request, "reject", by="a", via="command", reason="no products"), request)
    assert outcome.waiting is not None
    assert isinstance(outcome.waiting.subject, PatchSet)
    assert [each.patch.diff for each in outcome.waiting.subject.proposals] == [GOOD]
    told = [each for each in stage.crew.asked if isinstance(each, ProposeParams)][-1].feedback
    assert [each.reason for each in told] == ["no products"]


async def test_rejecting_the_patches_of_the_last_round_ends_the_run_as_rejected(stage: Stage) -> None:
    """Exit code 4, with the person's reason and name."""
    outcome = await stage.run(PATCHES, ScriptedDesk(rejected), fix_rounds=0)
    assert (outcome.exit_code, outcome.state.reason, outcome.state.by) == (4, "not this way", "ann")
    assert stage.crew.effects[-1] == "workspace.close"


async def test_rejecting_an_unclear_change_of_the_last_round_ends_the_run_as_rejected(stage: Stage) -> None:
    """Where a person is asked because no rule can tell, their no is a rejection, too."""
    stage.crew.after[GOOD] = suite({TEST: "passed"})
    outcome = await stage.run(desk=ScriptedDesk(rejected), fix_rounds=0)
    assert [gate.kind for gate in outcome.state.gates] == ["plan", "patches", "escalation"]
    assert (outcome.exit_code, outcome.state.reason, outcome.state.by) == (4, "not this way", "ann")


async def test_a_runner_up_can_be_chosen(stage: Stage) -> None:
    """The proposal at the chosen index is applied; the others are rivals in the bundle."""
    stage.crew.proposals = (proposal(BAD), proposal(GOOD, "The second one"))
    request = await waiting(stage, PATCHES)
    outcome = await resumed(stage, answer(request, "approve", by="a", via="command", choice=1), request)
    assert outcome.exit_code == 0
    assert stage.crew.applied == GOOD


async def test_an_edited_diff_is_what_goes_on(stage: Stage) -> None:
    """The person's diff is applied and checked instead of the proposal; the commit names the person."""
    stage.crew.proposals = (proposal(BAD),)
    request = await waiting(stage, PATCHES)
    outcome = await resumed(stage, answer(request, "modify", by="a", via="command", diff=GOOD), request)
    assert outcome.exit_code == 0
    assert stage.crew.applied == GOOD
    assert [each.agent for each in stage.crew.asked if isinstance(each, CommitParams)] == ["person"]


async def test_an_edited_diff_that_does_not_apply_is_given_back_in_the_same_round(stage: Stage) -> None:
    """The same patches are put again, with the person's text and what is wrong with it."""
    request = await waiting(stage, PATCHES)
    plain = stage.crew.workspace_apply
    refused = Failure(kind="invalid", message="'a - c' is not in the file")
    stage.crew.workspace_apply = lambda params: refused if params.diff == BAD else plain(params)
    outcome = await resumed(stage, answer(request, "modify", by="a", via="command", diff=BAD), request)
    assert outcome.waiting is not None
    assert (outcome.waiting.gate, outcome.state.metrics.rounds) == ("patches-1-edit-1", 1)
    shown = outcome.waiting.subject
    assert isinstance(shown, PatchSet)
    assert shown.edit == RefusedEdit(diff=BAD, reason=refused.message)
    outcome = await resumed(stage, answer(outcome.waiting, "modify", by="a", via="command", diff=GOOD), outcome.waiting)
    assert outcome.exit_code == 0, outcome.state.reason
    assert stage.crew.applied == GOOD


async def test_a_workspace_that_fails_for_another_reason_ends_the_run(stage: Stage) -> None:
    """What is no fault of the diff is not put to the person who wrote it."""
    stage.crew.failures["workspace.apply"] = Failure(kind="internal", message="the disk is broken")
    diffs = iter([GOOD])
    edit = ScriptedDesk(lambda request, _: answer(request, "modify", by="a", via="terminal", diff=next(diffs)))
    assert (outcome := await stage.run(PATCHES, edit)).exit_code == 1
    assert "the disk is broken" in outcome.state.reason


async def test_an_edited_plan_is_what_goes_on(stage: Stage) -> None:
    """The writer gets the reworded request, and a dropped optional step is not taken."""
    request = await waiting(stage, PLAN)
    assert isinstance(request.subject, Plan)
    steps = tuple(step for step in request.subject.steps if step.id != "analyse")
    edited = request.subject.model_copy(update={"request": "look at a", "steps": steps})
    outcome = await resumed(stage, answer(request, "modify", by="a", via="command", plan=edited), request)
    assert outcome.exit_code == 0
    assert [each.request for each in stage.crew.asked if isinstance(each, ProposeParams)] == ["look at a"]
    assert "static_analyzer.check" not in stage.crew.effects


async def test_an_edited_plan_cannot_hand_a_step_more_tools(stage: Stage) -> None:
    """Steps can be left out where they are optional, and never be changed."""
    request = await waiting(stage, PLAN)
    assert isinstance(request.subject, Plan)
    plan = request.subject
    stronger = tuple(step.model_copy(update={"uses": ("workspace.revert",)}) for step in plan.steps)
    for steps in (stronger, plan.steps[1:], plan.steps[::-1]):
        edited = plan.model_copy(update={"steps": steps})
        with pytest.raises(InvalidDecision):
            await decide(stage.bus, request, answer(request, "modify", by="a", via="command", plan=edited))


async def test_the_first_decision_counts_and_there_is_no_second(stage: Stage) -> None:
    """A second decision is refused, whatever it says."""
    request = await waiting(stage, PLAN)
    await decide(stage.bus, request, answer(request, "abort", by="ann", via="command"))
    with pytest.raises(InvalidDecision, match="decided already"):
        await decide(stage.bus, request, approve(request))
    assert (await stage.conductor().resume(RUN)).exit_code == 4


async def test_a_decision_about_something_else_is_refused(stage: Stage) -> None:
    """A decision names the digest of what was shown; another digest is not stored."""
    request = await waiting(stage, PLAN)
    wrong = approve(request).model_copy(update={"subject_sha256": "0" * 64})
    with pytest.raises(InvalidDecision, match="something else"):
        await decide(stage.bus, request, wrong)


@pytest.mark.parametrize("sender", ["person", "code_writer"])
async def test_a_decision_stored_past_the_check_closes_the_gate_and_approves_nothing(stage: Stage, sender: str) -> None:
    """A forged approval does not count, whether its digest is wrong or its writer may not decide; a new gate opens."""
    request = await waiting(stage, PLAN)
    forged = approve(request)
    if sender == "person":
        forged = forged.model_copy(update={"subject_sha256": "0" * 64})
    subject = f"gate.{RUN}.{request.gate}.decision"
    await stage.broker.connect(sender).store(subject, forged.canonical())
    outcome = await stage.conductor().resume(RUN)
    assert outcome.exit_code == 3
    assert [(gate.gate, bool(gate.closed)) for gate in outcome.state.gates] == [("plan", True), ("plan_2", False)]
    assert "code_writer.propose" not in stage.crew.effects


async def test_only_the_orchestrator_can_decide_by_policy(stage: Stage) -> None:
    """A person's message that calls itself a policy's decision does not count."""
    request = await waiting(stage, PLAN)
    forged = answer(request, "approve", by="policy", via="policy")
    await stage.broker.connect("person").store(f"gate.{RUN}.plan.decision", forged.canonical())
    assert (await stage.conductor().resume(RUN)).exit_code == 3


@pytest.mark.parametrize(
    ("sender", "via", "counts"),
    [("host_desk", "host", True), ("host_desk", "command", False), ("person", "host", False), ("hosts", "host", False)],
)
async def test_a_hosts_decision_counts_as_a_hosts_only(stage: Stage, sender: str, via: Via, counts: bool) -> None:
    """What was answered in an MCP host is sealed by that host; neither can be had without the other."""
    request = await waiting(stage, PLAN)
    decision = answer(request, "approve", by="ann via desk", via=via)
    await decide(stage.broker.connect(sender), request, decision)
    assert (await stage.conductor().resume(RUN)).exit_code == (0 if counts else 3)


async def test_bytes_that_are_no_decision_close_the_gate(stage: Stage) -> None:
    """Whatever can be stored there, only a decision opens a gate."""
    request = await waiting(stage, PLAN)
    await stage.bus.store(f"gate.{RUN}.{request.gate}.decision", b'{"stream": "LEDGER_runs", "seq": 7}')
    outcome = await stage.conductor().resume(RUN)
    assert outcome.exit_code == 3
    assert outcome.state.gates[0].closed.startswith("invalid")


async def test_however_long_people_take_the_run_goes_on(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gate that nobody decided in time closes, and is put again under another name, for as long as it takes."""
    outcome = await stage.run(PLAN)
    for weeks in range(1, 11):
        monkeypatch.setattr(gatekeeper, "utc_now", lambda weeks=weeks: utc_now() + weeks * timedelta(days=8))
        outcome = await stage.conductor().resume(RUN)
        assert outcome.exit_code == 3
    assert outcome.waiting is not None
    assert outcome.waiting.gate == "plan_11"
    assert all(gate.closed.startswith("expired") for gate in outcome.state.gates[:-1])

    assert (await resumed(stage, approve(outcome.waiting), outcome.waiting)).exit_code == 0


async def test_decisions_that_never_fit_end_the_run(stage: Stage) -> None:
    """Whoever stores nonsense at a gate again and again gets no more questions."""
    outcome = await stage.run(PLAN)
    while outcome.waiting is not None:
        await stage.bus.store(f"gate.{RUN}.{outcome.waiting.gate}.decision", b"nonsense")
        outcome = await stage.conductor().resume(RUN)
    assert len(outcome.state.gates) == MAX_GATE_ATTEMPTS
    assert (outcome.exit_code, outcome.state.status) == (1, "failed")
    assert "none of which fits" in outcome.state.reason


async def test_a_decision_after_the_expiry_does_not_count(stage: Stage) -> None:
    """The broker's clock decides, not the decision's."""
    request = await waiting(stage, PLAN)
    late = request.expires_at + timedelta(seconds=1)
    assert "expired" in problem(request, approve(request), late)
    assert problem(request, approve(request), utc_now()) == ""


async def test_an_override_at_resume_decides_what_the_run_waited_for(stage: Stage) -> None:
    """`resume --auto` decides by policy, and the decision is on the ledger as the policy's."""
    await waiting(stage, PLAN)
    outcome = await stage.conductor().resume(RUN, Policy(plan=AUTO, patches=AUTO, handoff=AUTO))
    assert outcome.exit_code == 0
    assert outcome.state.gates[0].decision is not None
    assert outcome.state.gates[0].decision.via == "policy"
