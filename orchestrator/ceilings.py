"""How long a run, and each agent of it, may work. What asking models costs is the model server's to watch. Pure."""

from __future__ import annotations

from contracts.metrics import Metrics
from contracts.workflow import Budgets

ALWAYS = frozenset({"workspace"})
"""Who is asked all the same: it tidies up, and hands over what is there."""


def over_time(budgets: Budgets, metrics: Metrics, server: str) -> str:
    """Why `server` may not be asked any more; "" when it may. People's waiting and down time do not count."""
    if server in ALWAYS:
        return ""
    if (limit := budgets.model.wall_s) is not None and metrics.ready_s >= limit:
        return f"The run has worked for {metrics.ready_s:.0f} s, and may for {limit:g} s; {_most(metrics)}"
    agent = budgets.agents.get(server)
    spent = sum(each.seconds for each in metrics.calls if each.agent == server)
    if agent is not None and agent.wall_s is not None and spent >= agent.wall_s:
        return f"{server} has worked for {spent:.0f} s, and may for {agent.wall_s:g} s."
    return ""


def _most(metrics: Metrics) -> str:
    longest = sorted(metrics.calls, key=lambda each: each.seconds, reverse=True)[:3]
    return "most of it on " + ", ".join(f"{each.agent} ({each.seconds:.0f} s)" for each in longest) + "."
