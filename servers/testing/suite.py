"""Runs pytest in the sandbox and believes the result only where all it says agrees."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from contracts.sandbox import Limits
from contracts.test_runner import Counts, Frame, RunResult, SuiteOutcome, TestCase
from servers.sandbox.job import Finished
from servers.sandbox.text import plain
from servers.specialist import Call
from servers.testing.claims import Case, Claim, Collected, CollectError, Finish, Ready, Started, Unusable
from servers.testing.confined import Confined, Tail, token
from servers.testing.podium_inside.nodeids import under
from servers.testing.podium_inside.request import Request
from servers.testing.scratch import TREE

OUTPUT_TAIL = 4000
"""Bytes."""

ENDED = {
    "wall_time": "the time limit of {wall:g} s",
    "cpu_time": "the time limit of {cpu:g} s, all of it spent computing,",
    "memory": "the memory limit",
    "processes": "the limit on processes",
    "output": "the limit on output",
    "disk": "the limit on disk space",
    "cancelled": "cancellation",
}


@dataclass
class Heard:
    """What one pytest run has said so far."""

    ready: bool = False
    unusable: str = ""
    collected: list[str] = field(default_factory=list[str])
    cases: list[TestCase] = field(default_factory=list[TestCase])
    errors: list[TestCase] = field(default_factory=list[TestCase])
    running: str = ""
    status: int | None = None

    def hear(self, claim: Claim) -> None:
        """Take one line in."""
        match claim:
            case Ready():
                self.ready = True
            case Unusable():
                self.unusable = claim.reason
            case Collected():
                self.collected += claim.ids
            case CollectError():
                self.errors.append(case_of(claim, "error"))
            case Started():
                self.running = claim.id
            case Case():
                self.running = ""
                self.cases.append(case_of(claim, claim.outcome))
            case Finish():
                self.status = claim.status
            case _:
                pass


def case_of(claim: Case | CollectError, outcome: str) -> TestCase:
    """The contract's case."""
    return TestCase.model_validate(
        {
            "id": claim.id,
            "outcome": outcome,
            "duration_s": claim.duration_s if isinstance(claim, Case) else 0.0,
            "message": claim.message,
            "detail": claim.detail,
            "frames": tuple(Frame(**frame.model_dump()) for frame in claim.frames if frame.path),
        }
    )


async def run_pytest(
    confined: Confined,
    home: Path,
    call: Call,
    *,
    tests: tuple[str, ...] = (),
    limits: Limits,
    test_cpu_s: float = 0.0,
    past_errors: bool = False,
    quiet: bool = False,
) -> RunResult:
    """pytest on `home/tree`, in a fresh process."""
    heard, tail = Heard(), Tail()

    async def on_claim(claim: Claim) -> None:
        heard.hear(claim)
        if isinstance(claim, Case) and not quiet and tail.due(anyio.current_time()):
            failed = sum(case.outcome in ("failed", "error") for case in heard.cases)
            done, total = len(heard.cases), len(heard.collected)
            await call.progress(done, max(total, done), f"{done} of {total} tests, {failed} failed")

    request = Request(
        verb="run",
        token=token(),
        root=str(home / TREE),
        tests=list(tests),
        test_cpu_s=test_cpu_s,
        past_errors=past_errors,
        quiet=quiet,
    )
    started = anyio.current_time()
    finished = await confined.ask(home, request, limits, on_claim)
    duration_s = anyio.current_time() - started
    return judge(heard, finished, tests, limits, duration_s, root=str(home / TREE), past_errors=past_errors)


def judge(
    heard: Heard,
    finished: Finished,
    asked: tuple[str, ...],
    limits: Limits,
    duration_s: float,
    *,
    root: str,
    past_errors: bool,
) -> RunResult:
    """The result: what the channel, the exit status and the sandbox's report say together."""
    # Where the scratch copy stood says nothing to anybody, and differs from run to run.
    output = output_tail(finished).replace(root + os.sep, "")
    outcome, reason = _outcome(heard, finished, asked, limits, output, past_errors=past_errors)
    cases = [*heard.errors, *heard.cases]
    if heard.running and outcome in ("stopped", "broken"):
        cases.append(TestCase(id=heard.running, outcome="error", message=f"did not finish: {reason}"))
    counts = Counter[str](case.outcome for case in cases)
    return RunResult(
        outcome=outcome,
        counts=Counts.model_validate(dict(counts)),
        cases=tuple(cases),
        reason=reason,
        output_tail=output,
        duration_s=duration_s,
        sandbox=finished.report,
    )


def output_tail(finished: Finished) -> str:
    """The last whole lines of what was printed, safe to show, after a line that says how much is left out."""
    kept = finished.output[-OUTPUT_TAIL:]
    left = finished.printed - len(kept)
    if not left:
        return plain(kept)
    part, _, lines = kept.partition(b"\n")
    left, kept = (left + len(part) + 1, lines) if lines else (left, kept)
    return f"[… {left:,} bytes before this are left out …]\n{plain(kept)}"


def _outcome(
    heard: Heard, finished: Finished, asked: tuple[str, ...], limits: Limits, output: str, *, past_errors: bool
) -> tuple[SuiteOutcome, str]:
    ended, status = finished.report.ended, finished.returncode
    during = f" while {heard.running} ran" if heard.running else ""
    if heard.unusable:
        return "broken", heard.unusable
    if ended in ENDED:
        return "stopped", f"{ENDED[ended].format(wall=limits.wall_s, cpu=limits.cpu_s)} was reached{during}"
    if ended == "signalled" or status < 0:
        return "broken", f"the test program died of signal {-status}{during}"
    if not heard.ready:
        return "broken", f"the test program did not start (exit status {status}): {_last_line(output)}"
    if heard.errors and not past_errors:
        names = ", ".join(case.id for case in heard.errors[:5])
        return "collection_error", f"could not be collected: {names}: {heard.errors[0].message}"
    if heard.status is None:
        if status == 4:
            return _usage(asked, output)
        return "broken", f"the test program ended with status {status} before pytest was done{during}"
    if heard.status != status:
        return "broken", f"pytest meant to end with status {heard.status}, the process ended with {status}"
    if status == 4:
        return _usage(asked, output)
    if status not in (0, 1, 5):
        return "broken", f"pytest ended with status {status} (2: interrupted, 3: internal error): {_last_line(output)}"
    if Counter(case.id for case in heard.cases) != Counter(heard.collected):
        missing = len(heard.collected) - len(heard.cases)
        return "broken", f"{len(heard.collected)} tests were collected and {missing} of them not reported"
    if not heard.cases:
        return "no_tests", "pytest found no tests" + (f" for {', '.join(asked)}" if asked else "")
    unknown = [name for name in asked if not any(under(case.id, name) for case in heard.cases)]
    if unknown:
        return "no_tests", f"pytest ran no test called {', '.join(unknown)}"
    bad = sum(case.outcome in ("failed", "error") for case in heard.cases) + len(heard.errors)
    if bool(bad) != (status == 1):
        return "broken", f"pytest ended with status {status}, but {bad} tests were reported as failed"
    return ("failed", "") if bad else ("passed", "")


def _usage(asked: tuple[str, ...], output: str) -> tuple[SuiteOutcome, str]:
    """Status 4 is pytest's usage error: a test that is not there, or options it does not know."""
    lines = [line for line in output.splitlines() if "ERROR" in line or "error:" in line]
    said = lines[0] if lines else _last_line(output)
    if asked and "not found:" in output:
        return "no_tests", said.removeprefix("ERROR: ")
    return "broken", f"pytest refused to start: {said}"


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "no output"
