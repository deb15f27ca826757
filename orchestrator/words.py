"""What the loop concludes from results, and how it says so. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from contracts.bundle import Comparison
from contracts.code_writer import ProposeResult
from contracts.sandbox import Ended, Limits
from contracts.test_runner import Counts, RunResult
from contracts.test_writer import NewTest
from contracts.workflow import Plan
from contracts.workspace import MAX_BODY_CHARS
from orchestrator.compare import outcomes, red
from orchestrator.errors import CouldNot, Refused
from orchestrator.text import count

_CONFIGURE = "`podium.toml` says how tests run: `[test] python = …`, or `command` and `junit`."


def failing_or_why_not(asked: Sequence[str], shown: RunResult) -> tuple[str, ...]:
    """The tests that fail when those that were `asked` for run.

    Raises:
        CouldNot: there are none, or none could be run.
    """
    names = ", ".join(asked)
    match shown.outcome:
        case "no_tests":
            raise CouldNot(
                f"No such test: {shown.reason or names}.",
                "Name it as the runner does, relative to the repository's root: tests/test_x.py::test_y.",
            )
        case "collection_error":
            raise CouldNot(
                f"The tests do not collect: {shown.reason}.",
                f"Run them by hand in a fresh clone; files that are not committed are not there. {_CONFIGURE}",
            )
        case "stopped":
            raise CouldNot(f"The test run was stopped: {shown.reason}.", _within_limits(shown.sandbox.ended))
        case "broken":
            raise CouldNot(f"The test program could not run: {shown.reason}.", _CONFIGURE)
        case "passed":
            raise CouldNot(
                f"Test already green: {names} passes on the committed state.",
                "Commit the test that shows the bug, or name another one; changes that are not committed do not count. "
                "A test that fails only after others depends on one of them, and that one is to be looked at.",
            )
        case "failed":
            return red(shown)


def _within_limits(ended: Ended) -> str:
    if ended in ("wall_time", "cpu_time"):  # a test may compute for as long as it may last
        return "Raise `[budgets] test_timeout_s` in podium.toml, or make the test end."
    given = Limits()
    return (
        f"A test run gets {given.memory_bytes >> 30} GB of memory, {given.processes} processes, "
        f"{given.disk_bytes >> 30} GB of disk and {given.output_kill_bytes >> 20} MB of output. "
        "Have the test need less, or name another one."
    )


def check_baseline(suite: RunResult, failing: Sequence[str]) -> None:
    """See that the whole suite can tell better from worse.

    Raises:
        CouldNot: it cannot.
    """
    if suite.outcome not in ("passed", "failed"):
        raise CouldNot(
            f"The whole suite does not finish before anything is changed ({suite.outcome}): {suite.reason}.",
            "Without it no change can be judged. Make it run, or have podium.toml's `[test]` run the part that does.",
        )
    ran = outcomes(suite)
    other = [test for test in failing if test not in red(suite)]
    if other:
        how = "pass" if all(test in ran for test in other) else "do not run"
        raise CouldNot(
            f"{', '.join(other)} fail alone and {how} in the whole suite.",
            "They depend on other tests or are flaky; name a test that fails either way.",
        )


def nothing_found(found: ProposeResult, number: int, plan: Plan) -> tuple[str, str]:
    """Why there is no proposal, and the way out."""
    tried = found.tried
    parts = (
        (tried.failing, "left the tests failing"),
        (tried.regressed, "broke another test"),
        (tried.hung, "hung"),
        (tried.crashed, "crashed"),
        (tried.invalid, "did not compile"),
        (tried.degenerate, "passed but were nonsense"),
    )
    how = ", ".join(f"{many} {what}" for many, what in parts if many)
    ended = {
        "enough": "with enough found",
        "exhausted": "with nothing left to try",
        "budget": f"at its budget of {plan.budgets.search_s:g} s",
    }[tried.ended]
    turned_down = " that was not turned down before" if number > 1 else ""
    who = "the search" if found.engine == "search" else "the model's work"
    reason = (
        f"No plausible patch was found{turned_down}. {tried.candidates} candidates were tried in "
        f"{tried.elapsed_s:.0f} s ({how or 'none of them fits'}); {who} ended {ended}. {found.note}"
    ).strip()
    suspects = ", ".join(f"{each.path}:{each.line}" for each in found.suspects[:3])
    reason += f" Most suspicious: {suspects}." if suspects else ""
    more = "Raise `[budgets] search_s`. " if tried.ended == "budget" else ""
    if found.engine == "search":
        how = "once there is one to ask; see docs/models.md" if plan.engine == "auto" else "`--engine model`"
        return reason, f"{more}Small edits seem not to be enough here; a model may do more ({how})."
    return reason, f"{more}Say more about what is wrong, or choose another model: --model writer=…"


def no_further_round(rounds: int, reason: str, by: str | None) -> CouldNot | Refused:
    """How a run ends whose last round brought nothing that is kept; `by` is who turned it down, if a person did."""
    if by is not None:
        return Refused("reject", reason, by)
    return CouldNot(
        f"{count(rounds, 'round')}, and no change was accepted. Last: {reason}",
        "Say more in the request, edit the plan at its gate, or allow more rounds (`[budgets] fix_rounds`).",
    )


def unwritten_again(reason: str) -> CouldNot:
    """How a run ends in which writers failed as they had in the round before; nothing is there to decide on."""
    return CouldNot(
        f"The same could not be written twice in a row. {reason}",
        "Say more in the request, edit the plan at its gate, or choose another model: --model writer=…",
    )


def unless_flaky(comparison: Comparison, repeated: RunResult) -> Comparison:
    """`comparison`, made unclear if what got worse passes when it runs again."""
    if repeated.outcome != "passed":
        return comparison
    reason = f"Failed in the suite and passed when run again: {', '.join(comparison.regressed[:5])}"
    return comparison.model_copy(update={"verdict": "unclear", "reason": reason})


def tests_written(tests: Sequence[NewTest]) -> tuple[str, ...]:
    """That the run wrote `tests`; nothing where it wrote none."""
    named = ", ".join(test.id for test in tests[:8])
    return (f"{count(len(tests), 'test')} written for it: {named}",) if tests else ()


def counts(found: Counts) -> str:
    """`3 passed, 1 failed`."""
    named = ((name, getattr(found, name)) for name in Counts.model_fields)
    return ", ".join(f"{many} {name}" for name, many in named if many) or "no tests"


def wanted(plan: Plan) -> str:
    """The request with the acceptance criteria, for somebody who writes by both."""
    return "\n".join(filter(None, [plan.request, *(f"- {each.text}" for each in plan.criteria)]))


def subject(text: str) -> str:
    """A commit's first line, of whatever somebody said."""
    line = " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", text).split()) or "Change what was asked for"
    return line if len(line) <= 72 else f"{line[:71]}…"


def body(plan: Plan) -> str:
    """A commit's text: what was asked for and what shows it."""
    shown_by = "Failing before:\n" + "\n".join(plan.failing) if plan.failing else ""
    text = "\n\n".join(filter(None, [plan.request, shown_by]))
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", text)[:MAX_BODY_CHARS]
