"""Coverage per test: runs the suite traced and folds what it says into a spectrum."""

from __future__ import annotations

from pathlib import Path

import anyio

from contracts.sandbox import Limits
from contracts.secret_kinds import masked
from contracts.test_runner import CoverageResult, LineCoverage, TestCase
from servers.specialist import Call, ToolError
from servers.testing.claims import Case, Claim, Lines
from servers.testing.confined import Confined, Tail, token
from servers.testing.podium_inside.nodeids import under
from servers.testing.podium_inside.request import Request
from servers.testing.scratch import TREE
from servers.testing.suite import Heard

GRACE_S = 5.0
"""For the interpreter to start and end, beyond the budget."""


async def trace_suite(
    confined: Confined, home: Path, call: Call, failing: tuple[str, ...], budget_s: float
) -> CoverageResult:
    """Trace the suite on `home/tree`.

    Raises:
        ToolError: not_found, when a failing test does not exist; unavailable, when no test could be traced.
    """
    heard, tail = Heard(), Tail()
    ran: dict[str, dict[str, tuple[int, ...]]] = {}

    async def on_claim(claim: Claim) -> None:
        heard.hear(claim)
        if isinstance(claim, Lines):
            ran.setdefault(claim.test, {})[claim.path] = claim.lines
        if isinstance(claim, Case) and tail.due(anyio.current_time()):
            await call.progress(len(heard.cases), len(heard.collected), f"{len(heard.cases)} tests traced")

    request = Request(
        verb="trace",
        token=token(),
        root=str(home / TREE),
        tests=list(failing),
        budget_s=budget_s,
        test_cpu_s=max(2.0, budget_s / 4),
    )
    limits = Limits(wall_s=budget_s + GRACE_S, cpu_s=budget_s + GRACE_S)
    finished = await confined.ask(home, request, limits, on_claim)
    if not heard.cases and not heard.running:
        said = heard.unusable or (heard.errors[0].message if heard.errors else f"exit status {finished.returncode}")
        raise ToolError("unavailable", f"no test could be traced: {masked(said)}")
    cases = [*heard.cases]
    if heard.running:
        cases.append(TestCase(id=heard.running, outcome="error", message="did not finish while traced"))
    missing = [name for name in failing if not any(under(case.id, name) for case in cases)]
    if missing:
        raise ToolError("not_found", f"the suite has no test {', '.join(missing)}")
    traced = [case for case in cases if case.outcome != "skipped"]
    traced.sort(key=lambda case: not any(under(case.id, name) for name in failing))
    return CoverageResult(
        tests=tuple(TestCase(id=case.id, outcome=case.outcome, duration_s=case.duration_s) for case in traced),
        lines=_by_line(traced, ran),
        failures=tuple(case for case in traced if any(under(case.id, name) for name in failing)),
        complete=finished.report.ended == "exited" and len(heard.cases) == len(heard.collected),
        sandbox=finished.report,
    )


def _by_line(traced: list[TestCase], ran: dict[str, dict[str, tuple[int, ...]]]) -> tuple[LineCoverage, ...]:
    found: dict[tuple[str, int], list[int]] = {}
    for index, case in enumerate(traced):
        for path, lines in ran.get(case.id, {}).items():
            for line in lines:
                found.setdefault((path, line), []).append(index)
    return tuple(LineCoverage(path=path, line=line, tests=tuple(found[path, line])) for path, line in sorted(found))
