"""What becomes of a run that was broken off: the next command finds it."""

from __future__ import annotations

from tests.cli.conftest import Podium
from tests.e2e.rig import fixing, going
from tests.e2e.terminal import at_a_terminal
from tests.git_project import Project

GREEN = "tests/test_stock.py::test_some_can_be_sold"
"""A run for it ends soon: there is nothing to repair."""


def broken_off(podium: Podium, project: Project, run: str) -> None:
    """A run whose orchestrator was killed."""
    with going(podium, *fixing(project, "--run", run, test=GREEN)) as process:
        process.until("● See the test fail")
        process.kill()


def status_of(podium: Podium) -> dict[str, str]:
    return {state["task"]["run"]: state["status"] for state in podium("runs", "--json").document}


def test_a_run_that_was_broken_off_is_said_in_a_pipe_and_resumed_when_asked_for(
    fresh: Podium, project: Project
) -> None:
    """`up` and `run` say it on stderr and go on with their own; `run --resume` and `resume` without a name mean it.

    Two are ambiguous for `resume`. A run that waits at a gate is named too, but it is no matter of theirs.
    """
    assert fresh("up", "--json").document["unfinished"] == []
    assert fresh(*fixing(project, "--run", "r-waits")).code == 3
    broken_off(fresh, project, "r-first")

    other = fresh(*fixing(project, "--run", "r-other", test=GREEN))

    assert (other.code, other.document["state"]["task"]["run"]) == (1, "r-other")
    assert "r-first was interrupted" in other.err
    assert "→ podium resume r-first" in other.err
    assert "r-waits waits at a gate" in other.err
    broken_off(fresh, project, "r-second")
    up, which = fresh("up", "--json"), fresh("resume", "--json")
    assert [(one["run"], one["stands"]) for one in up.document["unfinished"]] == [
        ("r-waits", "waiting"),
        ("r-first", "interrupted"),
        ("r-second", "interrupted"),
    ]
    assert which.code == 2
    assert "r-first was interrupted" in which.document["error"]["message"]
    assert "r-second was interrupted" in which.document["error"]["message"]

    last = fresh(*fixing(project, "--run", "r-last", "--resume", test=GREEN))

    assert (last.code, last.document["state"]["task"]["run"]) == (1, "r-last"), last.err
    ended = dict.fromkeys(("r-last", "r-second", "r-other", "r-first"), "failed")
    assert status_of(fresh) == {**ended, "r-waits": "waiting"}
    the_one = fresh("resume", "--json")
    assert (the_one.code, the_one.document["state"]["task"]["run"]) == (3, "r-waits")
    assert fresh("abort", "r-waits").code == 0
    assert "no unfinished run" in fresh("resume", "--json").document["error"]["message"]


def test_at_a_terminal_it_is_offered(fresh: Podium, project: Project) -> None:
    """Before a new run, where Enter means no, and by `up`, where it means yes."""
    broken_off(fresh, project, "r-first")
    asked = ("run", "fix-bug", "--repo", str(project.root), "--consent-weak", "--auto", "all", "--test", GREEN)
    with at_a_terminal(fresh, *asked, "--run", "r-fresh") as terminal:
        terminal.until("Go on with it now? (podium abort RUN ends one) [y/N]")
        terminal.type("")
        assert terminal.end() == 1
    with at_a_terminal(fresh, "up") as terminal:
        terminal.until("[Y/n]")
        assert "r-fresh" not in terminal.shown
        terminal.type("")
        assert terminal.end() == 0, terminal.shown

    assert status_of(fresh) == {"r-fresh": "failed", "r-first": "failed"}


def test_a_run_goes_on_under_other_keys(fresh: Podium, project: Project) -> None:
    """Rotated while it waits and while it is broken off, everybody's: approvals and answers of before still count."""
    assert fresh("up").code == 0
    assert fresh(*fixing(project, "--run", "r-long", "--auto", "plan,handoff")).code == 3
    rotated = fresh("agents", "rotate", "--all", "--json")
    assert rotated.document["taken_up"], rotated.err
    assert fresh("approve", "r-long").code == 0
    with going(fresh, "resume", "r-long") as process:
        process.until("● Apply")
        process.kill()
    assert fresh("agents", "rotate", "--all").code == 0

    done = fresh("resume", "r-long", "--json")

    assert done.code == 0, done.err
    assert "wanted <= self.pieces" in project.git("show", "podium/r-long:stock.py")
    for command in (("replay", "r-long"), ("audit", "verify")):
        assert (said := fresh(*command)).code == 0, said
    assert fresh("down").code == 0
