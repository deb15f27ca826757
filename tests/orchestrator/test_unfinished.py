"""Who is at work on a run, and what was left where it stood."""

from __future__ import annotations

import anyio

from orchestrator import unfinished
from orchestrator.gates import store_decision
from orchestrator.unfinished import abandoned, left_over
from tests.orchestrator.crew import RUN
from tests.orchestrator.stage import AUTO_ALL, TASK, WORKFLOW, Stage
from tests.orchestrator.test_gates import PLAN, PatientDesk, approve
from tests.orchestrator.test_resume import Killed, frail


async def test_a_run_somebody_is_at_work_on_is_not_left(stage: Stage) -> None:
    """While it is conducted nobody else is offered it, also while it waits for the person who is asked; then it is."""
    desk = PatientDesk()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stage.run, PLAN, desk)
        await desk.asked.wait()
        assert abandoned(stage.paths.unfinished) == ()
        tasks.cancel_scope.cancel()

    assert abandoned(stage.paths.unfinished) == (RUN,)


async def test_a_run_whose_orchestrator_was_killed_can_go_on(stage: Stage) -> None:
    """It is called interrupted until it has ended."""
    steady, stage.bus = stage.bus, frail(stage, 10, True)
    try:
        await stage.run()
    except Killed:
        stage.bus = steady
    (left,) = await left_over(stage.bus, stage.paths.unfinished)
    assert (left.run, left.stands, left.can_go_on) == (RUN, "interrupted", True)

    await stage.conductor().resume(RUN)

    assert await left_over(stage.bus, stage.paths.unfinished) == ()


async def test_a_run_at_a_gate_waits_until_it_is_answered(stage: Stage) -> None:
    """Nobody but the person can have it go on; once they have answered, an orchestrator can."""
    outcome = await stage.run(PLAN)
    assert outcome.waiting is not None
    (left,) = await left_over(stage.bus, stage.paths.unfinished)
    assert (left.stands, left.gate, left.can_go_on) == ("waiting", "plan", False)

    await store_decision(stage.bus, outcome.waiting, approve(outcome.waiting))

    (left,) = await left_over(stage.bus, stage.paths.unfinished)
    assert (left.stands, left.can_go_on) == ("answered", True)


async def test_what_was_begun_first_comes_first(stage: Stage) -> None:
    """In the ledger's order, not in the order of names, nor by a clock."""
    for name in ("r-bbbb", "r-aaaa"):
        await stage.conductor().start(TASK.model_copy(update={"run": name}), WORKFLOW, PLAN)
    left = await left_over(stage.bus, stage.paths.unfinished)
    assert [each.run for each in left] == ["r-bbbb", "r-aaaa"]


async def test_what_ended_elsewhere_or_never_began_is_forgotten(stage: Stage) -> None:
    """A run that was aborted from another state directory, or whose first event was never stored."""
    await stage.run(PLAN)
    with unfinished.at_work(stage.paths.unfinished, "r-never"):
        pass
    elsewhere = stage.conductor()
    object.__setattr__(elsewhere, "paths", type(stage.paths).below(stage.paths.work / "elsewhere"))
    await elsewhere.abort(RUN, by="ann")

    assert await left_over(stage.bus, stage.paths.unfinished) == ()
    assert list(stage.paths.unfinished.iterdir()) == []


async def test_a_run_that_ended_leaves_no_mark(stage: Stage) -> None:
    """Neither handed over nor aborted."""
    await stage.run(AUTO_ALL)
    assert list(stage.paths.unfinished.iterdir()) == []
