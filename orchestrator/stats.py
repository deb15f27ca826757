"""Runs in figures: what their events say, and beside it what the servers' streams say of the same runs.

What is folded from events comes from `orchestrator.metrics`. Calls and spending are counted in the ledger, agent by
agent: an agent's calls are those it made itself, and what it spent is what the model server's answers to it say. Both
accounts must agree; where they do not, it is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import reduce

from contracts.base import Model, Name, RunId, UtcTime
from contracts.ledger import CallRecord
from contracts.metrics import AgentSpending, CallCount, Metrics
from contracts.rework import Degree
from contracts.spending import NOTHING, Spending
from contracts.state import RunState, RunStatus
from orchestrator.seals import ORCHESTRATOR

MODEL = "model"
"""The server whose answers say what was spent."""


class RunStats(Model):
    """One run in figures."""

    run: RunId
    workflow: Name
    status: RunStatus
    started_at: UtcTime
    orchestrator_calls: int
    agent_calls: int
    """Made by agents on the orchestrator's behalf."""
    calls: tuple[CallCount, ...]
    spent: Spending
    spending: tuple[AgentSpending, ...]
    """By the agent that asked, in name order; `orchestrator` is the planner and the judge."""
    metrics: Metrics
    rework: Degree | None
    """As `podium rework` measured it last; None where nobody has."""
    disagreement: str = ""
    """Where the run's own events say something else than the streams; empty where they agree, or work is under way."""


class Totals(Model):
    """Several runs together."""

    runs: int
    ended: dict[RunStatus, int]
    orchestrator_calls: int
    agent_calls: int
    calls: tuple[CallCount, ...]
    spent: Spending
    spending: tuple[AgentSpending, ...]
    total_s: float
    ready_s: float
    """Until ready for review or the end, without waiting for people and down time."""
    human_s: float
    """Waiting for people."""
    fix_rounds: int
    human_edits: int
    rework: dict[Degree, int]
    """Runs by degree, where it was measured."""


class Stats(Model):
    """`podium stats --json`."""

    runs: tuple[RunStats, ...]
    total: Totals


def stats(states: Iterable[RunState], records: Iterable[CallRecord]) -> Stats:
    """The figures of `states`, whose calls are among `records`; what nobody sealed counts for nothing."""
    by_run: dict[str, list[CallRecord]] = {}
    for record in records:
        if record.sealed:
            by_run.setdefault(record.run, []).append(record)
    runs = tuple(of_run(state, by_run.get(state.run, [])) for state in states)
    return Stats(runs=runs, total=_total(runs))


def of_run(state: RunState, records: Sequence[CallRecord]) -> RunStats:
    """One run's figures; `records` are its own."""
    spending = _spending(records)
    own = sum(record.caller == ORCHESTRATOR for record in records)
    return RunStats(
        run=state.run,
        workflow=state.task.workflow,
        status=state.status,
        started_at=state.started_at,
        orchestrator_calls=own,
        agent_calls=len(records) - own,
        calls=_calls(records),
        spent=_sum(each.spent for each in spending),
        spending=spending,
        metrics=state.metrics,
        rework=state.rework.degree if state.rework else None,
        disagreement=_disagreement(state, own, spending),
    )


def _calls(records: Iterable[CallRecord]) -> tuple[CallCount, ...]:
    pairs: dict[tuple[str, str], list[CallRecord]] = {}
    for record in records:
        pairs.setdefault((record.caller, record.server), []).append(record)
    return tuple(
        CallCount(
            caller=caller,
            server=server,
            calls=len(made),
            failed=sum(each.outcome in ("failed", "denied") for each in made),
            seconds=sum(each.duration_ms or 0.0 for each in made) / 1000,
        )
        for (caller, server), made in sorted(pairs.items())
    )


def _spending(records: Iterable[CallRecord]) -> tuple[AgentSpending, ...]:
    found: dict[str, Spending] = {}
    for record in records:
        if record.server == MODEL and record.spent and record.spent.requests:
            found[record.caller] = found.get(record.caller, NOTHING).plus(record.spent)
    return tuple(AgentSpending(agent=agent, spent=found[agent]) for agent in sorted(found))


def _disagreement(state: RunState, calls: int, spending: Sequence[AgentSpending]) -> str:
    if any(call.ended_at is None for call in state.calls):
        return ""
    wrong: list[str] = []
    if calls != len(state.calls):
        wrong.append(f"its events speak of {len(state.calls)} calls, the streams hold {calls}")
    told = {each.agent: each.spent for each in state.metrics.spending if each.spent.requests}
    stored = {each.agent: each.spent for each in spending}
    for agent in sorted({*told, *stored}):
        if told.get(agent, NOTHING) != stored.get(agent, NOTHING):
            was, is_ = told.get(agent, NOTHING), stored.get(agent, NOTHING)
            wrong.append(
                f"by its events {agent} spent {was.usage.total} tokens in {was.requests} requests, "
                f"by the model server's answers {is_.usage.total} in {is_.requests}"
            )
    return "; ".join(wrong)


def _total(runs: Sequence[RunStats]) -> Totals:
    agents = sorted({each.agent for run in runs for each in run.spending})
    pairs = sorted({(each.caller, each.server) for run in runs for each in run.calls})
    made = [each for run in runs for each in run.calls]
    return Totals(
        runs=len(runs),
        ended=dict(Counter[RunStatus](run.status for run in runs)),
        orchestrator_calls=sum(run.orchestrator_calls for run in runs),
        agent_calls=sum(run.agent_calls for run in runs),
        calls=tuple(_together([one for one in made if (one.caller, one.server) == pair]) for pair in pairs),
        spent=_sum(run.spent for run in runs),
        spending=tuple(
            AgentSpending(
                agent=agent, spent=_sum(one.spent for run in runs for one in run.spending if one.agent == agent)
            )
            for agent in agents
        ),
        total_s=sum(run.metrics.total_s for run in runs),
        ready_s=sum(run.metrics.ready_s for run in runs),
        human_s=sum(run.metrics.human_s for run in runs),
        fix_rounds=sum(run.metrics.fix_rounds for run in runs),
        human_edits=sum(run.metrics.human_edits for run in runs),
        rework=dict(Counter[Degree](run.rework for run in runs if run.rework)),
    )


def _together(counts: Sequence[CallCount]) -> CallCount:
    return CallCount(
        caller=counts[0].caller,
        server=counts[0].server,
        calls=sum(each.calls for each in counts),
        failed=sum(each.failed for each in counts),
        seconds=sum(each.seconds for each in counts),
    )


def _sum(spent: Iterable[Spending]) -> Spending:
    return reduce(Spending.plus, spent, NOTHING)
