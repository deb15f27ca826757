"""Candidates per second: `try_patches` in warm forks against starting pytest for each, in the same sandbox.

    python -m benchmarks.candidates [--candidates N] [--json]

Both run the same failing test of the same project, two at a time, on the same interpreter with the same plugins
and its bytecode in place. Prints the ratio, and the load of the machine, which the rates depend on and the ratio less.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import TypeVar

import anyio

from contracts import diff
from contracts.base import Model
from contracts.test_runner import Candidate, RunParams, TryPatchesParams
from servers.sandbox.client import KeptSandbox, start_keeper
from servers.sandbox.order import Policy
from servers.specialist import Call, Room, ToolError
from servers.test_runner import TestRunner

R = TypeVar("R", bound=Model)
RUN = "r-bench"
FUNCTIONS = 60
FAILING = "tests/test_formulas.py::test_33"
STARTED = 8
"""How many candidates are tried by starting pytest: enough for a rate."""


class Alone:
    """A crew of nobody."""

    async def call(self, tool: str, params: Model, result: type[R], *, parent: Call) -> R:
        """Nobody answers."""
        raise ToolError("not_found", tool)


class Quiet:
    """A call nobody waits for."""

    id = "0" * 32
    caller = "benchmark"
    attempt = 1

    async def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Say nothing."""


def make_project(tree: Path) -> tuple[str, str]:
    """A module of small functions, a test each, one of them failing; the module's name and text."""
    functions = [
        f"def formula_{n}(a, b):\n    c = a * {n}\n    if b > c:\n        return b - c\n    return a + b + {n}\n"
        for n in range(FUNCTIONS)
    ]
    text = "\n\n".join(functions).replace("a + b + 33", "a - b + 33")
    tests = [
        f"def test_{n}():\n    assert formula_{n}(1, 2) == {2 - n if n < 2 else 3 + n}\n" for n in range(FUNCTIONS)
    ]
    for name, content in (
        ("formulas.py", text),
        ("tests/test_formulas.py", "from formulas import *\n\n\n" + "\n\n".join(tests)),
    ):
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return "formulas.py", text


async def measure(count: int) -> dict[str, float]:
    """Rates per second, and their ratio."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder).resolve()
        tree, scratch = base / "work" / RUN / "tree", base / "scratch"
        tree.mkdir(parents=True)
        scratch.mkdir()
        name, text = make_project(tree)
        candidates = tuple(
            Candidate(id=f"c{n}", diff=diff.make(name, text, text.replace("a - b + 33", f"a - b + {n + 100}")))
            for n in range(count)
        )
        async with KeptSandbox(start_keeper(Policy(scratch, read_anywhere=True))) as sandbox:
            runner = TestRunner(Room(base / "work", scratch, Alone(), sandbox))
            params = TryPatchesParams(run=RUN, candidates=candidates, failing=(FAILING,), budget_s=600)
            tried = await runner.try_patches(params, Quiet())
            if any(result.outcome != "failing" for result in tried.results):
                raise SystemExit(f"not every candidate was tried: {tried.results[0]}")
            started = anyio.current_time()
            await _start_pytest_for_each(runner, candidates[:STARTED])
            seconds = anyio.current_time() - started
    warm, cold = tried.per_s, min(STARTED, count) / seconds
    return {
        "candidates": count,
        "load_before": round(load, 1),
        "warm_per_s": round(warm, 2),
        "warm_cpu_ms_each": round(1000 * sum(result.cpu_s for result in tried.results) / count, 2),
        "batch_s_with_set_up": round(tried.duration_s, 2),
        "pytest_each_per_s": round(cold, 2),
        "ratio": round(warm / cold, 1),
        "ratio_with_set_up": round(count / tried.duration_s / cold, 1),
    }


async def _start_pytest_for_each(runner: TestRunner, candidates: tuple[Candidate, ...]) -> None:
    async def start(some: tuple[Candidate, ...]) -> None:
        for candidate in some:
            await runner.run(RunParams(run=RUN, tests=(FAILING,), diff=candidate.diff), Quiet())

    async with anyio.create_task_group() as both:
        both.start_soon(start, candidates[::2])
        both.start_soon(start, candidates[1::2])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    figures = anyio.run(measure, args.candidates)
    if args.json:
        print(json.dumps(figures))
        return
    print(f"warm forks            {figures['warm_per_s']:8.1f} candidates/s, {figures['warm_cpu_ms_each']} CPU-ms each")
    print(f"pytest for each       {figures['pytest_each_per_s']:8.2f} candidates/s")
    print(f"load before           {figures['load_before']:8.1f} on {os.cpu_count()} cores")
    print(f"ratio                 {figures['ratio']:8.1f} x  ({figures['ratio_with_set_up']} x with set-up)")


if __name__ == "__main__":
    main()
