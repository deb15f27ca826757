"""A run in figures, counted from the lines of its file with nothing of Podium's."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any


def recount(lines: Iterable[str]) -> dict[str, Any]:
    """Calls, spending, times, rounds, edits and rework, in the form of `podium stats --json`."""
    _, *messages = map(json.loads, lines)
    whole = (each for each in messages if "body" in each)
    bodies = [(each["subject"].split("."), json.loads(each["body"])) for each in whole]
    answers = {parts[3]: body for parts, body in bodies if parts[0] == "result"}
    calls: Counter[tuple[str, str]] = Counter()
    failed: Counter[tuple[str, str]] = Counter()
    tokens: Counter[tuple[str, str]] = Counter()
    cost: dict[str, Decimal | None] = {}
    for parts, _ in bodies:
        if parts[0] != "call":
            continue
        _, server, _, caller, call_id = parts
        calls[caller, server] += 1
        result = answers.get(call_id, {}).get("result", {})
        failed[caller, server] += bool(result.get("isError"))
        told = result.get("structuredContent", {})
        spent = (told["failure"] if result.get("isError") else told).get("spent")
        if server != "model" or not spent or not spent["requests"]:
            continue
        tokens[caller, "requests"] += spent["requests"]
        for kind, count in spent["usage"].items():
            tokens[caller, kind] += count
        before = cost.setdefault(caller, Decimal(0))
        cost[caller] = None if before is None or spent["cost_usd"] is None else before + Decimal(spent["cost_usd"])
    whats = [body["what"] for parts, body in bodies if parts[0] == "run"]
    steps = [re.match(r"(?:propose|write-tests|write-code)/(\d+)", what.get("step", "")) for what in whats]
    rounds = {found[1] for found, what in zip(steps, whats, strict=True) if found and what["event"] == "step-started"}
    decided = [what["decision"]["verdict"] for what in whats if what["event"] == "gate-decided"]
    return {
        "orchestrator_calls": sum(number for (caller, _), number in calls.items() if caller == "orchestrator"),
        "agent_calls": sum(number for (caller, _), number in calls.items() if caller != "orchestrator"),
        "calls": {pair: (number, failed[pair]) for pair, number in calls.items()},
        "tokens": {key: number for key, number in tokens.items() if number},
        "cost": cost,
        "fix_rounds": max(0, len(rounds) - 1),
        "human_edits": decided.count("modify"),
        "rework": ([what["rework"]["degree"] for what in whats if what["event"] == "rework-measured"] or [None])[-1],
        "times": times([body for parts, body in bodies if parts[0] == "run"]),
    }


def times(events: list[Any]) -> dict[str, float]:
    """Seconds until ready for review and of waiting for people, from spans of time."""
    dated = [
        (datetime.fromisoformat(each["at"]), each["what"])
        for each in events
        if each["what"]["event"] != "rework-measured"
    ]
    happened = [((at - dated[0][0]).total_seconds(), what) for at, what in dated]
    end = happened[-1][0]
    opened = {what["gate"]: at for at, what in happened if what["event"] == "gate-opened"}
    closed = {what["gate"]: (at, what) for at, what in happened if what["event"] in ("gate-decided", "gate-closed")}
    waited = [
        (at, closed[gate][0] if gate in closed else end)
        for gate, at in opened.items()
        if gate not in closed or closed[gate][1].get("decision", {}).get("via") != "policy"
    ]
    waiting = together(waited)
    down = [
        (before, at)
        for (before, _), (at, what) in pairwise(happened)
        if what["event"] == "resumed" and not any(since <= before < until for since, until in waited)
    ]
    reviews = [at for at, what in happened if what["event"] == "gate-opened" and what["kind"] == "handoff"]
    ready = min(reviews, default=end)
    idle = sum(max(0.0, min(until, ready) - since) for since, until in together([*waiting, *down]))
    return {
        "ready_s": round(ready - idle, 6),
        "human_s": round(sum(until - since for since, until in waiting), 6),
    }


def together(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same time, in spans that do not overlap."""
    found: list[tuple[float, float]] = []
    for since, until in sorted(spans):
        if found and since <= found[-1][1]:
            found[-1] = (found[-1][0], max(until, found[-1][1]))
        else:
            found.append((since, until))
    return found


def told(stats: Any) -> dict[str, Any]:
    """What the one run of `podium stats --json` says, in the same form."""
    (run,) = stats["runs"]
    tokens = {
        (each["agent"], kind): number
        for each in run["spending"]
        for kind, number in {"requests": each["spent"]["requests"], **each["spent"]["usage"]}.items()
        if number
    }
    costs = {each["agent"]: each["spent"]["cost_usd"] for each in run["spending"]}
    return {
        "orchestrator_calls": run["orchestrator_calls"],
        "agent_calls": run["agent_calls"],
        "calls": {(each["caller"], each["server"]): (each["calls"], each["failed"]) for each in run["calls"]},
        "tokens": tokens,
        "cost": {agent: None if cost is None else Decimal(cost) for agent, cost in costs.items()},
        "fix_rounds": run["metrics"]["fix_rounds"],
        "human_edits": run["metrics"]["human_edits"],
        "rework": run["rework"],
        "times": {name: round(run["metrics"][name], 6) for name in ("ready_s", "human_s")},
    }
