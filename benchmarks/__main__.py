"""The budgets as one table, every figure from this run.

python -m benchmarks [--json]
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass

import anyio

from benchmarks import calls, overhead, startup


@dataclass(frozen=True)
class Row:
    """One budget and what was measured."""

    what: str
    budget: str
    measured: float
    unit: str
    holds: bool


def at_most(what: str, limit: float, measured: float, unit: str = "×") -> Row:
    """A budget that must not be exceeded."""
    return Row(what, f"≤ {limit} {unit}", measured, unit, measured <= limit)


def at_least(what: str, limit: float, measured: float) -> Row:
    """A budget that must be reached."""
    return Row(what, f"≥ {limit} ×", measured, "×", measured >= limit)


def measure() -> list[Row]:
    """Everything, one after the other."""
    figures = anyio.run(calls.measure, 5, backend_options={"use_uvloop": True})
    peer = figures["stdio"]

    def slower(way: str) -> float:
        return round(figures[way]["p50_ms"] / peer["p50_ms"], 2)

    def more(way: str) -> float:
        return round(figures[way]["per_s"] / peer["per_s"], 2)

    begun = startup.measure(5)
    run = overhead.measure(3)
    own, official = "engine's caller", "official client"
    return [
        at_most("a call, p50, process durability: engine's caller / stdio", 1.0, slower(f"bus, process, {own}")),
        at_most("a call, p50, process durability: official client / stdio", 1.0, slower(f"bus, process, {official}")),
        at_most("a call, p50, every write on disk: engine's caller / stdio", 1.6, slower(f"bus, disk, {own}")),
        at_most("a call, p50, every write on disk: official client / stdio", 1.6, slower(f"bus, disk, {official}")),
        at_least("calls/s, 64 in flight: official client / stdio", 2.0, more(f"bus, process, {official}")),
        at_least("calls/s, 64 in flight: engine's caller / stdio", 4.0, more(f"bus, process, {own}")),
        at_most("the crew registered / import mcp", 2.0, begun["crew registered / import mcp"]["ratio"]),
        at_most("podium --help / python -c pass", 6.0, begun["podium --help / python -c pass"]["ratio"]),
        at_most("orchestration of a run", 1.5, run["overhead_s"], "s"),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = measure()
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False))
        return
    for row in rows:
        verdict = "holds" if row.holds else "MISSED"
        print(f"{row.what:<60} {row.budget:>8}   {row.measured:>6.2f} {row.unit}   {verdict}")


if __name__ == "__main__":
    main()
