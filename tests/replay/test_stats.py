"""Stats: counted in the ledger, equal to an independent recount, and at odds with nothing silently."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import click
import pytest

from contracts.base import utc_now
from contracts.failure import Failure
from contracts.gate_policy import Policy
from contracts.model import CompleteParams, CompleteResult, PromptName, Turn
from contracts.rework import Rework
from contracts.spending import Spending, Usage
from orchestrator.audit import audit
from orchestrator.cli.spending import money, spent
from orchestrator.cli.stats import Since, draw
from orchestrator.gates import decide
from orchestrator.policies import answer
from orchestrator.recording import Recording
from orchestrator.recording_file import load
from orchestrator.rework import note
from orchestrator.runs import state_of
from orchestrator.stats import Stats, stats
from orchestrator.view import console
from tests.orchestrator.builders import COST, build, make_site, retry
from tests.orchestrator.crew import GOOD, RUN
from tests.replay.kept import KeptStage, exported
from tests.replay.record import GOOD as FIX_BUG
from tests.replay.recount import recount, told

PAID = Spending(
    requests=2,
    usage=Usage(input_tokens=1000, output_tokens=50, cache_read_tokens=300, cache_write_tokens=7),
    cost_usd=Decimal("0.0125"),
)
QUESTION = CompleteParams(
    run=RUN,
    role="writer",
    prompt=PromptName(name="write", sha256="0" * 64),
    system="Write.",
    turns=(Turn(role="user", text="x"),),
    reply_name="change",
    reply_schema={},
)

REWORK = Rework(
    run=RUN,
    handed_over="a" * 40,
    merged="b" * 40,
    degree="minor",
    share=0.25,
    handed_lines=8,
    reworked_lines=2,
    rearranged_lines=0,
    files=(),
)


def reply(spent: Spending) -> CompleteResult:
    return CompleteResult(
        run=RUN, outcome="ok", reply={}, endpoint="there", model="m", way="tool", duration_s=0.1, spent=spent
    )


async def figures(recording: Recording) -> Stats:
    bus = recording.bus()
    return stats([await state_of(bus, recording.run)], (await audit(bus, recording.servers, recording.run)).calls)


async def check(recording: Recording) -> Stats:
    """The figures, which are those of the recount."""
    found = await figures(recording)
    assert told(json.loads(found.model_dump_json())) == recount(exported(recording))
    return found


async def test_the_figures_of_a_real_run_are_those_of_a_recount() -> None:
    """Every call, agents' own too, and no money."""
    found = await check(load(FIX_BUG))
    assert found.total.agent_calls > 0
    assert found.total.spent.requests == 0
    assert found.runs[0].disagreement == ""


async def build_and_account(kept: KeptStage) -> None:
    """A run that is planned, written, judged, mended; what the writers asked the model is in the ledger, too."""
    crew = make_site(kept)
    crew.replies["judge"] = [retry()]
    crew.texts["new.py"] = ["1\n", "2\n"]
    outcome = await build(kept)
    assert outcome.exit_code == 0
    for call in outcome.state.calls:
        if call.tool == "write":
            await kept.nested(call, "model", "complete", QUESTION, reply(COST))


async def test_the_figures_of_a_run_with_models_are_those_of_a_recount(kept: KeptStage) -> None:
    """Tokens go to the agent that asked; without a price the cost is unknown; both accounts agree."""
    await build_and_account(kept)
    found = await check(await kept.recording())
    (run,) = found.runs
    assert [(each.agent, each.spent.requests) for each in run.spending] == [
        ("code_writer", 2),
        ("orchestrator", 2),
        ("test_writer", 1),
    ]
    assert run.metrics.fix_rounds == 1
    assert run.spent.cost_usd is None
    assert run.disagreement == ""


async def test_the_figures_of_a_run_with_people_are_those_of_a_recount(kept: KeptStage) -> None:
    """Waiting for them is shown apart from the work until review; an edit is counted, and rework as measured last."""
    outcome = await kept.run(Policy())
    while (request := outcome.waiting) is not None:
        verdict, diff = ("modify", GOOD) if request.kind == "patches" else ("approve", None)
        await decide(kept.bus, request, answer(request, verdict, by="ann", via="command", diff=diff))
        outcome = await kept.conductor().resume(RUN)
    for degree in ("major", "minor"):
        await note(kept.bus, REWORK.model_copy(update={"degree": degree}))
    (run,) = (await check(await kept.recording())).runs
    assert run.metrics.human_s > 0
    assert run.metrics.human_edits == 1
    assert run.rework == "minor"


async def test_known_costs_are_summed_and_failures_that_cost_count(kept: KeptStage) -> None:
    """A call that failed after two requests was paid for; a failed call without them costs nothing."""
    outcome = await kept.run()
    proposing = next(call for call in outcome.state.calls if call.tool == "propose")
    await kept.nested(proposing, "model", "complete", QUESTION, reply(PAID))
    broken = Failure(kind="unavailable", message="gone", spent=PAID)
    await kept.nested(proposing, "model", "complete", QUESTION, broken)
    await kept.nested(proposing, "model", "complete", QUESTION, Failure(kind="budget", message="too much"))
    found = await check(await kept.recording())
    assert found.total.spent == PAID.plus(PAID)
    pair = next(each for each in found.total.calls if each.server == "model")
    assert (pair.calls, pair.failed) == (3, 2)


async def test_two_accounts_that_disagree_are_flagged(kept: KeptStage) -> None:
    """The model server says it was paid for something the run's events know nothing of: that is said, with figures."""
    outcome = await kept.run()
    proposing = next(call for call in outcome.state.calls if call.tool == "propose")
    await kept.nested(proposing, "model", "complete", QUESTION, reply(PAID))
    found = await figures(await kept.recording())
    assert "code_writer spent 0 tokens" in found.runs[0].disagreement
    assert "1357 in 2" in found.runs[0].disagreement


async def test_a_call_that_is_missing_in_the_streams_is_flagged(kept: KeptStage) -> None:
    """The events speak of a call that no stream holds."""
    await kept.run()
    kept.broker.streams["LEDGER_code_writer"].clear()
    found = await figures(await kept.recording())
    assert "12 calls, the streams hold 11" in found.runs[0].disagreement


async def test_several_runs_are_summed(kept: KeptStage) -> None:
    """Totals are the sums; drawn, they have a line of their own."""
    await build_and_account(kept)
    (run,) = (await figures(await kept.recording())).runs
    state = (await state_of(kept.bus, RUN)).model_copy(update={"rework": REWORK})
    records = (await audit(kept.bus, ["code_writer", "model", "test_writer"], RUN)).calls
    twin = state.model_copy(update={"task": state.task.model_copy(update={"run": "r-twin"})})
    copies = [each.model_copy(update={"run": "r-twin"}) for each in records]
    both = stats([state, twin], [*records, *copies])
    assert both.total.runs == 2
    assert both.total.ended == {"handed_over": 2}
    assert both.total.spent.usage.total == 2 * run.spent.usage.total
    assert both.total.rework == {"minor": 2}
    assert both.total.human_s == 2 * run.metrics.human_s
    to = console(err=False)
    with to.capture() as shown:
        to.print(draw(both))
    assert "2 runs" in shown.get()
    assert "unknown" in shown.get()


@pytest.mark.parametrize(
    ("text", "ago"),
    [("90m", timedelta(minutes=90)), ("24h", timedelta(days=1)), ("7d", timedelta(days=7)), ("2w", timedelta(14))],
)
def test_since_takes_a_span(text: str, ago: timedelta) -> None:
    """Counted back from now."""
    assert abs(utc_now() - ago - Since().convert(text, None, None)) < timedelta(minutes=1)


def test_since_takes_a_date() -> None:
    """With a zone as it says, without one here."""
    assert Since().convert("2026-01-31T12:00+02:00", None, None) == datetime(2026, 1, 31, 10, tzinfo=UTC)
    assert Since().convert("2026-01-31", None, None) == datetime(2026, 1, 31).astimezone()


@pytest.mark.parametrize("text", ["soon", "7", "7y", "-1d", "99999999999999w"])
def test_since_takes_nothing_else(text: str) -> None:
    """The message says what can be written."""
    with pytest.raises(click.BadParameter, match="24h"):
        Since().convert(text, None, None)


def test_money_is_never_nothing_where_it_is_unknown() -> None:
    """A small amount keeps its digits."""
    assert (money(None), money(Decimal("0.0042")), money(Decimal("12.3")), money(Decimal(0))) == (
        "unknown",
        "$0.0042",
        "$12.30",
        "$0.00",
    )
    assert spent(Spending()) == "nothing"
    assert spent(PAID) == "2 requests, 1,357 tokens, $0.0125"
    for both in (PAID.plus(COST), COST.plus(PAID)):
        assert spent(both) == f"{2 + COST.requests} requests, {1357 + COST.usage.total:,} tokens, cost unknown"
