"""How long a run and its agents may work, and how large a call may be; what models cost their server watches. Pure."""

from __future__ import annotations

from bus.claims import MAX_BODY
from contracts.base import Model
from contracts.metrics import Metrics
from contracts.workflow import Budgets
from orchestrator.errors import CouldNot, OverBudget
from orchestrator.metrics import agent_of

ALWAYS = frozenset({"workspace"})
"""Who is asked all the same: it tidies up, and hands over what is there."""

MAX_PARAMS = MAX_BODY - (64 << 10)
"""Bytes of a call's parameters, with room for what else a request says."""


def check_size(tool: str, params: Model) -> None:
    """See that a call of `server.tool` can be sent at all.

    Raises:
        CouldNot: nothing carries it. Every resume would make it again, so it ends the run.
    """
    if (size := len(params.canonical())) > MAX_PARAMS:
        raise CouldNot(
            f"{tool} would be sent {size:,} bytes; at most {MAX_PARAMS:,} can be.", "Ask for less at once, or split it."
        )


def check_time(budgets: Budgets, metrics: Metrics, server: str) -> None:
    """See that `server` may be asked once more. People's waiting and down time do not count.

    Raises:
        OverBudget: the run's time is up, or the agent's.
    """
    if server in ALWAYS:
        return
    if (limit := budgets.model.wall_s) is not None and metrics.ready_s >= limit:
        raise OverBudget(
            f"The run has worked for {metrics.ready_s:.0f} s, and may for {limit:g} s; {_most(metrics)}",
            _more("[budgets.model]", ", or with --budget-minutes"),
        )
    agent = agent_of(server)
    given = budgets.agents.get(agent)
    spent = sum(each.seconds for each in metrics.calls if agent_of(each.agent) == agent)
    if given is not None and given.wall_s is not None and spent >= given.wall_s:
        raise OverBudget(
            f"{agent} has worked for {spent:.0f} s, and may for {given.wall_s:g} s.", _more(f"[budgets.agents.{agent}]")
        )


def _more(where: str, command: str = "") -> str:
    return (
        f"A run keeps the budget it began with: begin another, with more `wall_s` in {where} of podium.toml{command}."
    )


def _most(metrics: Metrics) -> str:
    longest = sorted(metrics.calls, key=lambda each: each.seconds, reverse=True)[:3]
    return "most of it on " + ", ".join(f"{each.agent} ({each.seconds:.0f} s)" for each in longest) + "."
