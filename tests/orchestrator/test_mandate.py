"""What a run is given: worked out from its workflow and what is granted, there while it is under way, and withdrawn."""

from __future__ import annotations

import json
from collections.abc import Mapping

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.errors import BusUnavailable
from bus.mandates import LiveMandates, mandate_of
from bus.memory import MemoryBus
from bus.roster import LiveRoster
from bus.wire import Correlation, call_request, parse
from contracts.ledger import GRANTS_BUCKET
from contracts.mandate import Mandate
from contracts.model import DescribeParams
from contracts.task import Engine
from contracts.workflow import Workflow, WorkflowStep
from orchestrator.mandate import mandate_for
from orchestrator.unfinished import left_over
from servers.crew import CREW_FILE, read_crew
from tests.orchestrator.crew import RUN
from tests.orchestrator.stage import AUTO_ALL, TASK, WORKFLOW, Stage
from tests.orchestrator.test_gates import PLAN, PatientDesk

NAMES = st.sampled_from(["model", "orchestrator", "host_desk", "a", "b", "c", "d"])
CALLS = st.builds("{}.{}".format, NAMES, st.sampled_from(["x", "y", "*"]))
GRANTED = st.dictionaries(NAMES, st.frozensets(CALLS, max_size=4))
ENGINES = st.sampled_from(["search", "model", "auto"])

SHIPPED = {grant.name: grant.calls for grant in read_crew(CREW_FILE).grants()}


def workflow_of(uses: frozenset[str]) -> Workflow:
    step = WorkflowStep(id="work", title="Work", agent="a", uses=tuple(sorted(uses)))
    return Workflow(name="any", title="Any", steps=(step,))


@given(st.frozensets(CALLS, max_size=3), ENGINES, GRANTED)
def test_a_run_gets_no_more_than_is_granted_and_nothing_for_who_is_not_employed(
    uses: frozenset[str], engine: Engine, granted: Mapping[str, frozenset[str]]
) -> None:
    """Employed is who a step uses, or who may be called by somebody who is."""
    calls = mandate_for(workflow_of(uses), engine, granted).calls
    assert all(set(held) <= granted[name] for name, held in calls.items())
    assert engine != "search" or not any(call.startswith("model.") for held in calls.values() for call in held)
    used = {tool.partition(".")[0] for tool in uses}
    called = {call.partition(".")[0] for held in calls.values() for call in held}
    assert calls.keys() <= used | called
    for name in (used | called) & granted.keys():
        kept = {call for call in granted[name] if engine != "search" or not call.startswith("model.")}
        assert set(calls.get(name, ())) == kept, f"{name} is employed, and holds all of what is left"


def test_who_calls_only_each_other_is_not_employed_by_that() -> None:
    """Whoever is employed is reached from a step."""
    granted = {"a": ["b.x"], "b": [], "c": ["d.x"], "d": ["a.x"]}
    assert mandate_for(workflow_of(frozenset({"a.x"})), "auto", granted) == Mandate(calls={"a": ("b.x",)})


def test_the_crew_that_ships_fixes_a_bug_with_what_that_takes() -> None:
    """By the search nobody has a model, and test_writer has nothing to do either way."""
    search, auto = (mandate_for(WORKFLOW, engine, SHIPPED).calls for engine in ("search", "auto"))
    assert "test_writer" not in auto
    assert set(auto["code_writer"]) == set(SHIPPED["code_writer"])
    assert set(search["code_writer"]) == {call for call in SHIPPED["code_writer"] if not call.startswith("model.")}
    assert search["code_writer"]


def grant(stage: Stage, granted: Mapping[str, tuple[str, ...]]) -> None:
    for name, calls in granted.items():
        stage.broker.set(GRANTS_BUCKET, name, json.dumps(calls).encode())


async def under_way(stage: Stage) -> bool:
    return await mandate_of(stage.bus, RUN) is not None


async def test_a_run_is_under_way_until_it_has_ended(stage: Stage) -> None:
    """While it is conducted, and while it waits at a gate with nobody at work on it."""
    desk = PatientDesk()
    assert not await under_way(stage)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stage.run, PLAN, desk)
        await desk.asked.wait()
        assert await under_way(stage)
        tasks.cancel_scope.cancel()
    assert (await stage.conductor().resume(RUN)).waiting is not None
    assert await under_way(stage)
    assert (await stage.conductor().resume(RUN, AUTO_ALL)).exit_code == 0
    assert not await under_way(stage)


async def test_a_run_that_is_aborted_or_could_not_is_no_more_under_way(stage: Stage) -> None:
    """However it ends."""
    await stage.run(PLAN)
    await stage.conductor().abort(RUN, by="ann")
    assert not await under_way(stage)
    other = TASK.model_copy(update={"run": "r-other"})
    stage.crew.proposals = ()
    assert (await stage.conductor().start(other, WORKFLOW, AUTO_ALL)).exit_code == 1
    assert await mandate_of(stage.bus, "r-other") is None


async def test_a_grant_that_is_made_meanwhile_widens_no_run(stage: Stage) -> None:
    """It counts once somebody takes the run up again, as a person has it done."""
    grant(stage, {"code_writer": ("repository.read",)})
    desk = PatientDesk()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stage.run, PLAN, desk)
        await desk.asked.wait()
        grant(stage, {"code_writer": ("repository.read", "workspace.apply")})
        assert await mandate_of(stage.bus, RUN) == Mandate(calls={"code_writer": ("repository.read",)})
        tasks.cancel_scope.cancel()
    await stage.conductor().resume(RUN)
    assert await mandate_of(stage.bus, RUN) == Mandate(calls={"code_writer": ("repository.read", "workspace.apply")})


@pytest.mark.parametrize(("engine", "refused"), [("search", True), ("auto", False)])
async def test_the_model_server_takes_no_call_for_a_run_whose_person_asked_for_the_search(
    stage: Stage, engine: Engine, refused: bool
) -> None:
    """Whoever wrote the code of code_writer, which may ask a model in other runs."""
    grant(stage, SHIPPED)
    await stage.conductor().start(TASK.model_copy(update={"engine": engine}), WORKFLOW, PLAN)
    params = DescribeParams(run=RUN, role="writer")
    request = parse("call", call_request("0" * 32, "describe", params, Correlation(RUN)))
    bus = stage.broker.connect("model")
    model = LiveMandates(bus, LiveRoster(bus))
    assert bool(await model.refusal("code_writer", "describe", request)) == refused
    assert await model.refusal("test_writer", "describe", request), "the workflow does not employ it"


class Cut(MemoryBus):
    """A connection that is cut just before the mandate would be withdrawn."""

    async def put(self, bucket: str, key: str, value: bytes, *, ttl_s: int | None = None) -> None:
        """See `Bus.put`."""
        if not value:
            raise BusUnavailable(f"{bucket} cannot be reached")
        await super().put(bucket, key, value, ttl_s=ttl_s)


async def test_an_ended_run_whose_mandate_still_stands_is_taken_up_once_more(stage: Stage) -> None:
    """Its orchestrator was interrupted between the two; nothing else is done over."""
    steady = stage.bus
    stage.bus = Cut(stage.broker, stage.broker.identities[steady.identity])
    with pytest.raises(BusUnavailable):
        await stage.run()
    stage.bus = steady
    effects = list(stage.crew.effects)
    (left,) = await left_over(stage.bus, stage.paths.unfinished)
    assert (left.run, left.can_go_on) == (RUN, True)
    assert (await stage.conductor().resume(RUN)).exit_code == 0
    assert not await under_way(stage)
    assert await left_over(stage.bus, stage.paths.unfinished) == ()
    assert stage.crew.effects == effects
