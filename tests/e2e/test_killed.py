"""kill -9 of anything, at many points of one run: it goes on and ends the same."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.conftest import LIMIT_S, Podium, make_project
from tests.e2e.rig import below, calls_of, crew_of, files_left, fixing, going, house_of, run_of, survivors, tree_of
from tests.git_project import Project

ORCHESTRATOR_DIES_AT = (
    "● See the test fail",
    "✓ See the test fail",
    "● Look for plausible patches",
    "✓ Look for plausible patches",
    "● Apply and commit",
    "● Run the whole suite",
    "● Make the bundle",
    "● Hand over the branch",
    "● Clean up",
)


def test_a_run_whose_orchestrator_dies_again_and_again_ends_the_same(
    kept: Podium, project: Project, tmp_path: Path
) -> None:
    """Killed at nine points, resumed each time: the undisturbed run's tree, and no call made twice.

    What was answered before a kill is taken from the ledger; what was under way is found by its call id.
    """
    undisturbed = make_project(tmp_path / "twin")
    first = kept(*fixing(undisturbed, "--auto", "all"))
    assert first.code == 0, first.err
    before = project.snapshot()
    with going(kept, *fixing(project, "--auto", "all")) as process:
        process.until("● Take in the repository")
        assert process.kill().code == -signal.SIGKILL
    run = run_of(kept)

    for point in ORCHESTRATOR_DIES_AT:
        with going(kept, "resume", run, "--json") as process:
            process.until(point)
            assert process.kill().code == -signal.SIGKILL
    done = kept("resume", run, "--json")

    assert done.code == 0, done.err
    assert tree_of(project, run) == tree_of(undisturbed, first.document["state"]["task"]["run"])
    assert project.snapshot() == before
    made = Counter(call["step"] for call in calls_of(kept, run) if call["caller"] == "orchestrator")
    assert set(made.values()) == {1}
    assert set(made) == {
        call["step"]
        for call in calls_of(kept, first.document["state"]["task"]["run"])
        if call["caller"] == "orchestrator"
    }
    assert files_left(kept) == []


def test_of_two_that_resume_a_run_one_has_it(kept: Podium, project: Project) -> None:
    """Two processes at the same time: whoever is overtaken says by whom, and one hands over what one run hands over."""
    with going(kept, *fixing(project, "--auto", "all")) as process:
        process.until("● Look for plausible patches")
        process.kill()
    run = run_of(kept)

    together = [kept.begin("resume", run, "--json") for _ in range(2)]
    told = [process.communicate(timeout=LIMIT_S) for process in together]

    codes = sorted(process.returncode for process in together)
    assert codes in ([0, 0], [0, 1]), told
    for process, (out, err) in zip(together, told, strict=True):
        assert (
            process.returncode == 0 or "another orchestrator took over" in json.loads(out)["error"]["message"].lower()
        )
        assert process.returncode == 0 or f"podium watch {run}" in err
    made = Counter(call["step"] for call in calls_of(kept, run) if call["caller"] == "orchestrator")
    assert set(made.values()) == {1}
    assert kept("show", run, "--json").document["state"]["status"] == "handed_over"
    assert project.git("rev-list", "--count", f"main..podium/{run}").strip() == "1"
    assert "wanted <= self.pieces" in project.git("show", f"podium/{run}:stock.py")
    assert files_left(kept) == []


def test_a_run_outlives_its_crew_and_its_broker(fresh: Podium, project: Project, others: set[int]) -> None:
    """Specialists, sandbox keepers and the broker are killed while they work: the house starts them again.

    Calls that were under way are delivered anew, and the run ends as if nothing had been.
    """
    assert fresh("up").code == 0
    crew, broker = crew_of(fresh), _broker(fresh)
    keeper = next(pid for pid, words in below(crew["test_runner"]).items() if "servers.sandbox.keeper" in words)
    with going(fresh, *fixing(project, "--auto", "all")) as process:
        process.until("● See the test fail")
        os.kill(keeper, signal.SIGKILL)
        process.until("● Look for plausible patches")
        os.kill(crew["code_writer"], signal.SIGKILL)
        os.kill(broker, signal.SIGKILL)
        process.until("● Run the whole suite")
        os.kill(crew_of(fresh)["test_runner"], signal.SIGKILL)
        done = process.end()

    assert done.code == 0, done.err
    assert fresh("replay", "last", "--json").document["verdict"] == "identical", "also what was asked before the kill"
    assert done.document["bundle"]["after"]["counts"]["passed"] == 4
    assert {call["outcome"] for call in calls_of(fresh, run_of(fresh))} == {"ok"}
    assert fresh("down").code == 0
    assert survivors(others) == {}
    assert files_left(fresh) == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_house_that_dies_is_said_and_the_run_goes_on_in_the_next(
    how: signal.Signals, fresh: Podium, project: Project, others: set[int]
) -> None:
    """Nothing of it survives, the command says how to go on, and `resume` finishes.

    Whoever is told to end does so in good order.
    """
    with going(fresh, *fixing(project, "--auto", "all")) as process:
        process.until("● See the test fail")
        os.kill(house_of(fresh), how)
        broken = process.end()
    assert "Traceback" not in (fresh.state / "house.log").read_text()
    assert broken.code == 1
    assert "podium resume" in broken.err
    assert "Traceback" not in broken.err
    assert survivors(others) == {}

    done = fresh("resume", "last", "--json")

    assert done.code == 0, done.err
    assert survivors(others) == {}
    assert files_left(fresh) == []


def _broker(podium: Podium) -> int:
    return next(pid for pid, words in below(house_of(podium)).items() if "nats-server" in words)
