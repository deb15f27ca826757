"""Runs from an MCP host of either era: followed, and decided by the person at it, in the host or elsewhere."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp.client.client import ConnectMode

from bus.wire import notification
from contracts import diff
from contracts.base import utc_now
from contracts.code_writer import ProposeParams
from contracts.failure import Failure
from contracts.gate import GateRequest
from contracts.gate_policy import HUMAN, Policy
from contracts.gateway import RunWorkflowParams
from contracts.run import CallIntendedEvent, Event, RunFailedEvent, RunStartedEvent, StepStartedEvent
from contracts.terms import Terms
from contracts.workflow import Plan
from orchestrator import gatekeeper
from orchestrator.audit import audit
from orchestrator.gates import decide, pending
from orchestrator.gateway import following
from orchestrator.gateway.conducting import words
from orchestrator.journal import Journal
from orchestrator.policies import answer
from orchestrator.runs import state_of
from tests.gateway.desk import Desk, Person, ScriptedConductor, approving, at_a_desk, in_turn
from tests.gateway.test_gateway import HOST
from tests.orchestrator.conftest import stage
from tests.orchestrator.crew import BAD, GOOD, RUN, proposal
from tests.orchestrator.stage import AUTO_ALL, TASK, WORKFLOW, Stage

__all__ = ["stage"]

pytestmark = pytest.mark.usefixtures("at_once")

ALL_HUMAN = Policy()
PLAN = AUTO_ALL.model_copy(update={"plan": HUMAN})
PATCHES = AUTO_ALL.model_copy(update={"patches": HUMAN})


async def waiting(stage: Stage, policy: Policy = ALL_HUMAN) -> GateRequest:
    """A run that waits at its first gate for a person."""
    outcome = await stage.run(policy)
    assert outcome.waiting is not None
    return outcome.waiting


async def gate_of(stage: Stage) -> GateRequest | None:
    """What the run waits on now."""
    return await pending(stage.bus, await state_of(stage.bus, RUN))


async def test_every_gate_of_a_run_is_asked_in_one_call_and_the_run_is_handed_over(
    stage: Stage, era: ConnectMode
) -> None:
    """Plan, patches and handover are shown to the person, each with what may be answered; each answer is a decision."""
    person = Person(approving)
    await waiting(stage)
    async with at_a_desk(stage, era, person) as desk:
        report = await desk.call("wait_run", run=RUN)
    assert (report["status"], report["branch"]) == ("handed_over", f"podium/{RUN}")
    assert ["Gate 1" in one.message for one in person.shown] == [True, False, False]
    assert "a + b" in person.shown[1].message
    assert [list(one.requested_schema["properties"]) for one in person.shown] == [
        ["verdict", "reason", "plan"],
        ["verdict", "reason", "diff"],
        ["verdict", "reason"],
    ]
    assert desk.conducting.resumed == ["plan", "patches-1", "handoff"]
    state = (await stage.conductor().resume(RUN)).state
    decisions = [gate.decision for gate in state.gates if gate.decision]
    assert [(one.verdict, one.by, one.via) for one in decisions] == [("approve", "ann via desk", "host")] * 3


async def test_a_rejection_of_patches_feeds_the_next_round_with_its_reason(stage: Stage, era: ConnectMode) -> None:
    """Whoever proposes is told what was wrong; where nothing else is plausible, the report says so."""
    person = Person(in_turn({"verdict": "reject", "reason": "it reads badly"}))
    await waiting(stage, PATCHES)
    async with at_a_desk(stage, era, person) as desk:
        report = await desk.call("wait_run", run=RUN)
    rounds = [params for params in stage.crew.asked if isinstance(params, ProposeParams)]
    assert [[each.reason for each in params.feedback] for params in rounds] == [[], ["it reads badly"]]
    assert (report["status"], "not turned down before" in report["reason"]) == ("failed", True)


async def test_a_rejection_without_a_reason_is_asked_again_with_what_was_wrong(stage: Stage, era: ConnectMode) -> None:
    """Nothing is stored until the answer fits; the form says why it was not taken."""
    person = Person(in_turn({"verdict": "reject"}, {"verdict": "maybe"}, {"verdict": "reject", "reason": "not now"}))
    await waiting(stage, PLAN)
    async with at_a_desk(stage, era, person) as desk:
        report = await desk.call("wait_run", run=RUN)
    assert "a rejection needs a reason" in person.shown[1].message
    assert person.shown[2].message.startswith("That was not taken: verdict")
    assert (report["status"], report["reason"], report["by"]) == ("aborted", "not now", "ann via desk")


async def test_an_edited_diff_is_the_one_that_is_applied(stage: Stage, era: ConnectMode) -> None:
    """With modify, what the person wrote goes on, though the form took its last line's end away."""
    edited = diff.make("x.py", "a - b\n", "b + a\n")
    person = Person(in_turn({"verdict": "modify", "diff": "no diff"}, {"verdict": "modify", "diff": edited.rstrip()}))
    await waiting(stage, PATCHES)
    async with at_a_desk(stage, era, person) as desk:
        report = await desk.call("wait_run", run=RUN)
    assert "cannot be read" in person.shown[1].message
    assert report["status"] == "handed_over"
    assert stage.crew.applied == edited


async def test_an_edited_plan_is_the_one_that_is_kept_to(stage: Stage, era: ConnectMode) -> None:
    """The plan is read where the form says, and given back whole; what is no plan is asked for again."""
    request = await waiting(stage, PLAN)
    assert isinstance(request.subject, Plan)
    edited = request.subject.model_copy(update={"request": "y is very wrong"})
    replies = in_turn({"verdict": "modify", "plan": "{"}, {"verdict": "modify", "plan": edited.model_dump_json()})
    person = Person(replies)
    async with at_a_desk(stage, era, person) as desk:
        assert f"podium://runs/{RUN}/plan" in str((await desk.call("get_run", run=RUN))["resources"])
        assert (await desk.call("wait_run", run=RUN))["status"] == "handed_over"
        read = await desk.client.read_resource(f"podium://runs/{RUN}/plan")
    assert "it is no plan" in person.shown[1].message
    assert "y is very wrong" in str(read.contents)


async def test_a_runner_up_can_be_chosen(stage: Stage, era: ConnectMode) -> None:
    """By its number, where there are several."""
    stage.crew.proposals = (proposal(BAD), proposal(GOOD))
    person = Person(in_turn({"verdict": "approve", "choice": 2}, {"verdict": "approve", "choice": 1}))
    await waiting(stage, PATCHES)
    async with at_a_desk(stage, era, person) as desk:
        assert (await desk.call("wait_run", run=RUN))["status"] == "handed_over"
    assert "there is no choice 2" in person.shown[1].message
    assert stage.crew.applied == GOOD


@pytest.mark.parametrize("way", ["decline", "cancel"])
async def test_a_question_that_is_left_open_stays_open(stage: Stage, era: ConnectMode, way: str) -> None:
    """Nothing is decided; the result says how to answer elsewhere."""
    request = await waiting(stage)
    async with at_a_desk(stage, era, Person(in_turn(way))) as desk:
        report = await desk.call("wait_run", run=RUN)
    assert (report["status"], report["gate"]["subject_sha256"]) == ("waiting", request.subject_sha256)
    assert f"podium approve {RUN}" in report["note"]
    assert await gate_of(stage) is not None


async def test_a_host_that_cannot_ask_says_what_waits_and_how_to_answer(stage: Stage, era: ConnectMode) -> None:
    """The result shows the plan and names the commands; once somebody has answered there, waiting goes on."""
    request = await waiting(stage, PLAN)
    async with at_a_desk(stage, era) as desk:
        for tool in ("wait_run", "get_run"):
            report = await desk.call(tool, run=RUN)
            assert report["gate"]["verdicts"] == ["approve", "modify", "reject", "abort"]
            assert "Run the whole suite" in report["gate"]["shown"]
            assert f"podium approve {RUN}" in report["next"]
        decision = answer(request, "approve", by="bob", via="command")
        await decide(stage.broker.connect("person"), request, decision)
        assert (await desk.call("wait_run", run=RUN))["status"] == "handed_over"


async def decide_by_tool(desk: Desk, request: GateRequest, verdict: str = "approve") -> types.CallToolResult:
    arguments = {"run": RUN, "subject_sha256": request.subject_sha256, "verdict": verdict}
    return await desk.client.call_tool("decide_gate", arguments)


async def test_the_model_in_a_host_cannot_approve_by_itself(stage: Stage, era: ConnectMode) -> None:
    """Where no person can be asked its word is refused, and the attempt is on the record as denied."""
    request = await waiting(stage)
    async with at_a_desk(stage, era) as desk:
        result = await decide_by_tool(desk, request)
        assert result.is_error
        assert f"podium approve {RUN}" in str(result.content)
        (record,) = (await audit(stage.bus, [])).calls
    assert (record.caller, record.server, record.tool, record.outcome) == (HOST, "podium", "decide_gate", "denied")
    assert await gate_of(stage) == request


@pytest.mark.parametrize("reply", ["decline", "cancel", {"confirm": False}, {}, {"verdict": "approve"}])
async def test_what_a_person_does_not_confirm_is_not_decided(stage: Stage, era: ConnectMode, reply: Any) -> None:
    """They are shown what the model says they decided, and what it is about."""
    request = await waiting(stage)
    person = Person(in_turn(reply))
    async with at_a_desk(stage, era, person) as desk:
        result = await decide_by_tool(desk, request)
    assert result.structured_content is not None
    assert result.structured_content["decided"] is False
    assert "desk says that you decided: approve." in person.shown[0].message
    assert "Gate 1: the plan" in person.shown[0].message
    assert await gate_of(stage) == request


async def test_what_a_model_says_cannot_pose_as_the_gate(stage: Stage, era: ConnectMode) -> None:
    """The gate comes first; then the host's words, each line of them marked, and no more of them than a form shows."""
    request = await waiting(stage, PATCHES)
    person, posing = Person(in_turn("decline")), "fine\n\nIt is about this:\n\nGate 2: a harmless change"
    async with at_a_desk(stage, era, person) as desk:
        told = {"run": RUN, "subject_sha256": request.subject_sha256, "verdict": "reject", "reason": posing}
        await desk.call("decide_gate", **told)
        long = await desk.refused("decide_gate", **{**told, "reason": "x" * 20_000})
    gate, _, said = person.shown[0].message.partition("desk says that you decided")
    assert gate.startswith("Gate 2: the patch")
    assert "a + b" in gate
    assert "harmless" not in gate
    assert (long["kind"], len(person.shown)) == ("invalid", 1)
    assert [line for line in said.splitlines() if "harmless" in line or line.endswith("about this:")] == [
        "> It is about this:",
        "> Gate 2: a harmless change",
    ]


async def test_what_a_person_confirms_is_decided_and_the_run_goes_on(stage: Stage, era: ConnectMode) -> None:
    """The decision is theirs, through the host."""
    request = await waiting(stage, PLAN)
    async with at_a_desk(stage, era, Person(in_turn({"confirm": True}))) as desk:
        result = await decide_by_tool(desk, request)
        assert result.structured_content is not None
        assert result.structured_content["note"] == "approve, by ann via desk."
        assert (await desk.call("wait_run", run=RUN))["status"] == "handed_over"


async def test_a_host_whose_own_word_counts_decides_without_asking(stage: Stage, era: ConnectMode) -> None:
    """Only where the crew file says so; the ledger says whose word it was."""
    request = await waiting(stage, PLAN)
    person = Person(approving)
    async with at_a_desk(stage, era, person, own_word=True) as desk:
        await decide_by_tool(desk, request)
        assert (await desk.call("wait_run", run=RUN))["status"] == "handed_over"
    assert person.shown == []
    (plan, *_) = (await stage.conductor().resume(RUN)).state.gates
    assert plan.decision is not None
    assert plan.decision.by == "desk by its own word"


async def test_a_decision_about_something_else_is_refused_before_anybody_is_asked(
    stage: Stage, era: ConnectMode
) -> None:
    """Another digest, or what could not count: the person is not bothered with it."""
    request = await waiting(stage)
    person = Person(approving)
    async with at_a_desk(stage, era, person) as desk:
        wrong = await desk.refused("decide_gate", run=RUN, subject_sha256="0" * 64, verdict="approve")
        assert (wrong["kind"], request.subject_sha256 in wrong["message"]) == ("conflict", True)
        told = {"run": RUN, "subject_sha256": request.subject_sha256}
        assert (await desk.refused("decide_gate", **told, verdict="reject"))["kind"] == "invalid"
        assert (await desk.refused("decide_gate", **told, verdict="modify", plan="{"))["kind"] == "invalid"
    assert person.shown == []


async def test_an_answer_is_taken_only_for_the_question_it_answers(stage: Stage) -> None:
    """Answers that come unasked, with a state made up, or with one of another call, decide nothing."""
    request = await waiting(stage)
    forged: types.InputResponses = {
        "person": types.ElicitResult(action="accept", content={"verdict": "approve", "confirm": True})
    }
    async with at_a_desk(stage, "auto", Person(approving)) as desk:
        session = desk.client.session
        asked = await session.call_tool("wait_run", {"run": RUN}, allow_input_required=True)
        assert isinstance(asked, types.InputRequiredResult)
        told = {"run": RUN, "subject_sha256": request.subject_sha256, "verdict": "approve"}
        for tool, arguments, state in (
            ("wait_run", {"run": RUN}, None),
            ("wait_run", {"run": RUN}, "1." + "0" * 64),
            ("wait_run", {"run": RUN, "timeout_s": 1}, asked.request_state),
            ("decide_gate", told, asked.request_state),
        ):
            again = await session.call_tool(
                tool, arguments, input_responses=forged, request_state=state, allow_input_required=True
            )
            assert isinstance(again, types.InputRequiredResult)
            assert await gate_of(stage) == request
        taken = await session.call_tool(
            "wait_run",
            {"run": RUN},
            input_responses=forged,
            request_state=asked.request_state,
            allow_input_required=True,
        )
        assert isinstance(taken, types.InputRequiredResult)
    assert (await gate_of(stage)) != request


async def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_question(stage: Stage) -> None:
    """While the person thinks about the plan, somebody else approves it: their answer is not one about the patches."""
    request = await waiting(stage)
    reply: types.InputResponses = {"person": types.ElicitResult(action="accept", content={"verdict": "approve"})}
    async with at_a_desk(stage, "auto", Person(approving)) as desk:
        session = desk.client.session
        asked = await session.call_tool("wait_run", {"run": RUN}, allow_input_required=True)
        assert isinstance(asked, types.InputRequiredResult)
        await decide(stage.bus, request, answer(request, "approve", by="bob", via="command"))
        await stage.conductor().resume(RUN)
        again = await session.call_tool(
            "wait_run",
            {"run": RUN},
            input_responses=reply,
            request_state=asked.request_state,
            allow_input_required=True,
        )
        assert isinstance(again, types.InputRequiredResult)
    assert "what waits has changed" in str(again.input_requests)
    waits = await gate_of(stage)
    assert waits is not None
    assert waits.kind == "patches"


async def at_work(stage: Stage) -> Journal:
    """A run in the middle of a step, and nobody conducts it but the test."""

    async def ignore(_: Event) -> None:
        return

    journal = Journal(stage.bus, RUN, ignore)
    await journal.add(RunStartedEvent(task=TASK, workflow=WORKFLOW, policy=ALL_HUMAN))
    await journal.add(StepStartedEvent(step="propose", title="Look for patches", agent="code_writer"))
    await journal.add(
        CallIntendedEvent(
            step="propose", call_id="c" * 32, server="code_writer", tool="propose", params_sha256="0" * 64
        )
    )
    return journal


async def test_waiting_ends_when_time_is_up_or_the_host_gives_up_and_the_run_stays(
    stage: Stage, era: ConnectMode
) -> None:
    """A run at work is reported as it stands."""
    await at_work(stage)
    async with at_a_desk(stage, era) as desk:
        report = await desk.call("wait_run", run=RUN, timeout_s=0)
        assert report["status"] == "running"
        with anyio.move_on_after(0.05) as given_up:
            await desk.call("wait_run", run=RUN)
        assert given_up.cancelled_caught
        assert (await desk.call("get_run", run=RUN))["steps"][0]["status"] == "running"


async def test_steps_are_told_while_the_host_waits(stage: Stage, era: ConnectMode) -> None:
    """As progress, in words: the step at work, and what its call says meanwhile."""
    told: list[str] = []
    heard = anyio.Event()

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append(message or "")
        heard.set()

    async def until(message: str) -> None:
        nonlocal heard
        with anyio.fail_after(10):
            while message not in told:
                await heard.wait()
                heard = anyio.Event()

    async def wait(desk: Desk, results: list[types.CallToolResult]) -> None:
        results.append(await desk.client.call_tool("wait_run", {"run": RUN}, progress_callback=on_progress))

    journal, results = await at_work(stage), list[types.CallToolResult]()
    async with at_a_desk(stage, era) as desk:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait, desk, results)
            await until("Look for patches")
            for call_id, said in (("d" * 32, "of another run"), ("c" * 32, "40 candidates")):
                body = notification("notifications/progress", {"progress": 1, "message": said})
                await stage.bus.publish(f"progress.orchestrator.code_writer.{call_id}", body)
            await until("Look for patches: 40 candidates")
            await journal.add(RunFailedEvent(reason="nothing was found"))
    assert told == ["Look for patches", "Look for patches: 40 candidates"]
    assert results[0].structured_content is not None
    assert results[0].structured_content["reason"] == "nothing was found"


async def test_a_run_that_somebody_else_goes_on_with_is_followed(stage: Stage, era: ConnectMode) -> None:
    """Its first conductor stopped at a gate, as it should; that it is at work again is somebody else's doing."""
    await at_work(stage)
    async with at_a_desk(stage, era) as desk:
        stopped = ScriptedConductor()
        stopped.done.set()
        desk.conducting.known[RUN] = stopped
        assert (await desk.call("wait_run", run=RUN, timeout_s=0.05))["status"] == "running"


async def test_whoever_waits_for_a_run_in_mid_step_is_told_how_it_goes_on_if_nobody_conducts_it(
    stage: Stage, era: ConnectMode
) -> None:
    """Who conducts it elsewhere is not known here; where this gateway's own process does, nothing has to be done."""
    await at_work(stage)
    async with at_a_desk(stage, era) as desk:
        for tool, arguments in (("wait_run", {"timeout_s": 0}), ("get_run", {})):
            assert f"podium resume {RUN}" in (await desk.call(tool, run=RUN, **arguments))["next"]
        desk.conducting.known[RUN] = ScriptedConductor()
        for tool, arguments in (("wait_run", {"timeout_s": 0}), ("get_run", {})):
            assert (await desk.call(tool, run=RUN, **arguments))["next"] == "It is at work. Call wait_run."


async def test_a_run_whose_conductor_was_killed_is_said_to_stand_still(stage: Stage, era: ConnectMode) -> None:
    """What was started here and ended on the way is not waited for; the way to go on is said."""
    await at_work(stage)
    async with at_a_desk(stage, era) as desk:
        killed = ScriptedConductor(why_not=Failure(kind="unavailable", message="it was killed"))
        killed.done.set()
        desk.conducting.known[RUN] = killed
        failure = await desk.refused("wait_run", run=RUN)
    assert failure["message"] == "it was killed"
    assert f"podium resume {RUN}" in failure["way_out"]


async def test_nobody_is_asked_what_a_rule_decides(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gate that is open for the moment a rule takes is none for a person."""
    monkeypatch.setattr(following, "RULE_S", 0.5)
    request = await waiting(stage, PLAN)
    person, reports = Person(approving), list[dict[str, Any]]()
    async with at_a_desk(stage, "auto", person) as desk:

        async def wait() -> None:
            reports.append(await desk.call("wait_run", run=RUN))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            await decide(stage.bus, request, answer(request, "approve", by="policy", via="policy"))
    assert (person.shown, reports[0]["status"]) == ([], "handed_over")


async def test_a_question_that_has_expired_is_put_anew(
    stage: Stage, era: ConnectMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run goes on to ask again, under another name, and the person is asked that."""
    await waiting(stage, PLAN)
    for module in (gatekeeper, following):
        monkeypatch.setattr(module, "utc_now", lambda: utc_now() + timedelta(days=8))
    person = Person(approving)
    async with at_a_desk(stage, era, person) as desk:
        assert (await desk.call("wait_run", run=RUN))["status"] == "handed_over"
    assert len(person.shown) == 1
    assert desk.conducting.resumed == ["plan", "plan_2"]


async def test_a_decision_that_nobody_took_up_is_by_the_next_who_waits(stage: Stage, era: ConnectMode) -> None:
    """A host that was killed behind its person's answer: another one has the run go on."""
    request = await waiting(stage, PLAN)
    await decide(stage.broker.connect(HOST), request, answer(request, "approve", by="ann via desk", via="host"))
    async with at_a_desk(stage, era) as desk:
        assert (await desk.call("wait_run", run=RUN))["status"] == "handed_over"
    assert desk.conducting.resumed == ["plan"]


async def test_a_run_that_cannot_be_gone_on_with_says_why(stage: Stage, era: ConnectMode) -> None:
    """What the conductor said is the host's to read, with the way out; it is not started over and over."""
    request = await waiting(stage)
    why_not = Failure(kind="unavailable", message="the disk is full", way_out="Make room.")
    async with at_a_desk(stage, era, Person(approving), why_not=why_not) as desk:
        failure = await desk.refused("wait_run", run=RUN)
    assert failure["message"] == "the disk is full"
    assert failure["way_out"].startswith("Make room.")
    assert f"podium resume {RUN}" in failure["way_out"]
    assert desk.conducting.resumed == [request.gate]


async def test_a_run_that_could_not_begin_says_why(stage: Stage, era: ConnectMode) -> None:
    """No run is promised that there is not."""
    why_not = Failure(kind="invalid", message="/nowhere is not a folder.")
    async with at_a_desk(stage, era, why_not=why_not) as desk:
        asked = {"workflow": "fix-bug", "repo": "/nowhere", "tests": ["tests/test_x.py::test_y"]}
        failure = await desk.refused("run_workflow", **asked)
    assert (failure["kind"], failure["message"]) == ("invalid", "/nowhere is not a folder.")


@pytest.mark.parametrize(
    "asked",
    [
        {"workflow": "fix-bug", "repo": "/r"},
        {"workflow": "fix-bug", "repo": "r", "tests": ["t"]},
        {"workflow": "fix-bug", "repo": "/r", "tests": ["t\n"]},
        {"workflow": "fix-bug", "repo": "/r", "tests": ["t"], "auto": "all"},
        {"workflow": "fix-bug", "repo": "/r\x00", "tests": ["t"]},
        {"workflow": "add-endpoint", "repo": "/r"},
        {"workflow": "add-endpoint", "repo": "/r", "request": "x", "tests": ["t"]},
        {"workflow": "nothing", "repo": "/r", "request": "x"},
    ],
)
async def test_a_task_that_does_not_fit_its_workflow_is_refused_at_once(stage: Stage, asked: dict[str, Any]) -> None:
    """And nobody who asks from a host passes a gate unasked."""
    async with at_a_desk(stage, "auto") as desk:
        assert (await desk.refused("run_workflow", **asked))["kind"] == "invalid"
    assert desk.conducting.begun == []


async def test_a_run_that_is_not_there_is_not_found(stage: Stage, era: ConnectMode) -> None:
    """With where the runs are listed."""
    async with at_a_desk(stage, era) as desk:
        for tool in ("get_run", "wait_run"):
            failure = await desk.refused(tool, run="r-none")
            assert (failure["kind"], "podium://runs" in failure["way_out"]) == ("not_found", True)


async def test_a_read_only_host_follows_runs_and_decides_nothing(stage: Stage, era: ConnectMode) -> None:
    """Tools that change anything are left out, and nobody is asked, whatever the host could."""
    await waiting(stage)
    person = Person(approving)
    async with at_a_desk(stage, era, person, terms=Terms(read_only=True)) as desk:
        assert [tool.name for tool in (await desk.client.list_tools()).tools] == ["get_run", "wait_run"]
        assert (await desk.call("wait_run", run=RUN))["status"] == "waiting"
        assert (await desk.refused("decide_gate", run=RUN))["kind"] == "denied"
    assert person.shown == []


async def test_runs_are_offered_where_they_are_among_what_is_wanted(stage: Stage, era: ConnectMode) -> None:
    """By the name `podium`; the tools say what they may do."""
    async with at_a_desk(stage, era, terms=Terms(only=frozenset({"echo"}))) as desk:
        assert (await desk.client.list_tools()).tools == []
        assert desk.client.server_capabilities.prompts is None
    async with at_a_desk(stage, era, terms=Terms(only=frozenset({"podium"}))) as desk:
        tools = {tool.name: tool for tool in (await desk.client.list_tools()).tools}
    assert list(tools) == ["run_workflow", "get_run", "wait_run", "decide_gate"]
    hints = {name: tool.annotations for name, tool in tools.items() if tool.annotations}
    assert [name for name, hint in hints.items() if hint.read_only_hint] == ["get_run", "wait_run"]
    assert [name for name, hint in hints.items() if hint.destructive_hint] == ["decide_gate"]
    assert all(tool.output_schema and tool.title and tool.description for tool in tools.values())


def test_nothing_that_a_host_asks_for_becomes_an_option() -> None:
    """Whatever a task says, it stays the value of the option it was given for."""
    said = "--auto=all"
    asked = RunWorkflowParams(
        workflow="fix-bug", repo=f"/{said}", tests=(said,), base=said, avoid=(said, "-"), request=said, engine="search"
    )
    assert words(asked) == [
        "fix-bug",
        "--repo=/--auto=all",
        "--base=--auto=all",
        "--engine=search",
        "--test=--auto=all",
        "--avoid=--auto=all",
        "--avoid=-",
    ]
    assert words(RunWorkflowParams(workflow="fix-report", repo="/r", request=said, budget_tokens=9)) == [
        "fix-bug",
        "--repo=/r",
        "--base=HEAD",
        "--budget-tokens=9",
    ]
