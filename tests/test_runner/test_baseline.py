"""The suite without a candidate: run once for a state of the tree, and not blind to chance."""

from __future__ import annotations

from contracts.sandbox import SandboxReport
from contracts.test_runner import Counts, RunParams, RunResult, SuiteOutcome, TestCase, TestOutcome
from servers.testing.baseline import Baseline, Baselines
from servers.testing.plugins import plugin_environment
from servers.testing.scratch import state
from tests.test_runner.project import RUN, Asked, Project

WRONG = "def value():\n    return 1\n"


CHANCE = """
import os

taking, giving = os.pipe()
os.write(giving, b"0")
taken = {}

def chance():
    \"\"\"0 in every second process that asks, 1 in the others: forks hand the one token to each other.\"\"\"
    if os.getpid() not in taken:
        taken[os.getpid()] = os.read(taking, 1)
        os.write(giving, b"1" if taken[os.getpid()] == b"0" else b"0")
    return int(taken[os.getpid()])
"""


async def test_the_suite_is_run_once_for_a_state_of_the_tree(project: Project) -> None:
    """A full run that somebody asked for before is the baseline; a changed tree has none."""
    project.file("it.py", WRONG)
    project.file("test_it.py", "import it\ndef test_it(): assert it.value() == 2\n")
    baselines, runner = Baselines(), project.runner
    runner._baselines = baselines  # pyright: ignore[reportPrivateUsage] - looked into, not changed
    await runner.run(RunParams(run=RUN, tests=("test_it.py",)), Asked())
    assert baselines.get(RUN, state(project.tree)) is None
    asked = await runner.run(RunParams(run=RUN), Asked())
    kept = baselines.get(RUN, state(project.tree))
    assert kept is not None
    assert kept.result == asked
    project.file("it.py", WRONG.replace("1", "3"))
    assert baselines.get(RUN, state(project.tree)) is None


async def test_a_flaky_test_refutes_no_candidate_and_is_named(project: Project) -> None:
    """Two tests of which one fails in every second process: they say nothing, whoever runs next."""
    project.file("it.py", f"{CHANCE}\n\ndef value():\n    return 1\n")
    project.file(
        "test_it.py",
        """
        import it
        def test_it(): assert it.value() == 2
        def test_odd(): assert it.chance() == 1
        def test_even(): assert it.chance() == 0
        """,
    )
    # A wrong candidate takes one process, a right one four: between them the parity of the next ones changes.
    texts = {"right 0": "2", "right 1": "1 + 1", "wrong 0": "3", "wrong 1": "4", "right 2": "3 - 1", "right 3": "4 - 2"}
    edits = {name: project.change("it.py", ("return 1", f"return {text}")) for name, text in texts.items()}
    tried = await project.try_("test_it.py::test_it", edits)
    plausible = [each.id for each in tried.results if each.outcome == "plausible"]
    assert plausible == ["right 0", "right 1", "right 2", "right 3"]
    assert tried.flaky == ("test_it.py::test_odd", "test_it.py::test_even")


async def test_a_second_run_of_the_suite_tells_which_tests_are_flaky() -> None:
    """Tests that end otherwise; a run that was stopped says nothing of those it did not reach, and one is enough."""

    def said(outcome: SuiteOutcome, **cases: TestOutcome) -> RunResult:
        told = tuple(TestCase(id=name, outcome=one) for name, one in cases.items())
        report = SandboxReport(level="full", backend="bubblewrap")
        return RunResult(outcome=outcome, counts=Counts(), cases=told, duration_s=1, sandbox=report)

    second = [said("failed", a="passed", b="failed", c="passed"), said("passed", a="failed")]

    async def again() -> RunResult:
        return second.pop(0)

    baseline = Baseline(said("failed", a="passed", b="passed", c="failed"))
    await baseline.find_flaky(again)
    await baseline.find_flaky(again)
    assert baseline.flaky == {"b", "c"}
    stopped = Baseline(said("failed", a="passed"))
    second[:] = [said("stopped", a="error")]
    await stopped.find_flaky(again)
    assert stopped.flaky == set()


async def test_what_could_not_be_confirmed_in_time_is_named(project: Project) -> None:
    """It passed the fast trial; nothing more is known, and it is not lost."""
    project.file("it.py", "import sys\nimport time\n\ndef value():\n    return 1\n")
    project.file("test_it.py", "import it\ndef test_it(): assert it.value() == 2\n")
    slow = "    'podium_inside.trial' in sys.modules or time.sleep(99)\n    return 2"
    edits = {"slow": project.change("it.py", ("    return 1", slow)), "wrong": project.change("it.py", ("1", "3"))}
    tried = await project.try_("test_it.py::test_it", edits, budget_s=9)
    assert [each.outcome for each in tried.results] == ["untried", "failing"]
    assert tried.unconfirmed == ("slow",)


async def test_plugins_of_podiums_own_environment_are_loaded_where_the_project_speaks_of_them(
    project: Project,
) -> None:
    """Else pytest starts without them: they take longer to import than pytest itself."""
    project.file("test_it.py", "def test_it(): pass\n")
    bare = plugin_environment(project.tree)
    assert bare == {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    project.file(
        "test_it.py",
        "import pytest\n@pytest.mark.anyio\n@pytest.mark.parametrize('anyio_backend', ['asyncio'])\n"
        "async def test_it(anyio_backend): pass\n",
    )
    assert plugin_environment(project.tree)["PYTEST_ADDOPTS"] == "-p anyio"
    assert (await project.runner.run(RunParams(run=RUN), Asked())).outcome == "passed"
    project.file("pytest.ini", "[pytest]\nrequired_plugins = anyio\n")
    assert plugin_environment(project.tree) == {}
