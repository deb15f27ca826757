"""How tests run is the base commit's to say: whatever the run's tree says since then is not heard."""

from __future__ import annotations

import sys

import pytest

from contracts.run_settings import PytestConfig, RunSettings
from contracts.test_runner import RunParams, RunResult
from tests.test_runner.project import RUN, Asked, Project

FORGE = """
    import pytest

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(item, call):
        report = (yield).get_result()
        if report.failed:
            report.outcome, report.longrepr = "passed", None
"""
"""A plugin that has every test pass."""
LOADED = "[pytest]\npythonpath = .\naddopts = -p forge\n"
LOADED_BY = {
    "pytest.ini": LOADED,
    ".pytest.ini": LOADED,
    "tests/pytest.ini": LOADED,
    "tox.ini": LOADED,
    "setup.cfg": LOADED.replace("[pytest]", "[tool:pytest]"),
    "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["."]\naddopts = "-p forge"\n',
    "tests/pyproject.toml": '[tool.pytest.ini_options]\naddopts = "-p forge"\n',
    "podium.toml": f"[test]\ncommand = ['{sys.executable}', 'forged.py']\njunit = 'report.xml'\n",
}
FORGED = """
    open("report.xml", "w").write("<testsuite><testcase classname='tests.test_a' name='test_bad'/></testsuite>")
"""


async def tested(project: Project, *tests: str) -> RunResult:
    return await project.runner.run(RunParams(run=RUN, tests=tests), Asked())


def attacked(project: Project, name: str, base: PytestConfig) -> None:
    """A project with a red test, whose tree got `name` after intake found `base`."""
    project.settle(RunSettings(pytest=base))
    project.write(tests__test_a_py="def test_bad():\n    assert False\n", forge_py=FORGE, forged_py=FORGED)
    project.file(name, LOADED_BY[name])


@pytest.mark.parametrize("name", LOADED_BY)
@pytest.mark.parametrize("tests", [(), ("tests/test_a.py",)], ids=["the suite", "one file"])
async def test_settings_that_came_after_the_base_are_not_heard(
    project: Project, name: str, tests: tuple[str, ...]
) -> None:
    """Whichever file it is, and though pytest would take the one nearest to the tests that are named."""
    attacked(project, name, PytestConfig(name="pytest.ini", text=""))
    assert (await tested(project, *tests)).counts.failed == 1


@pytest.mark.parametrize("name", ["pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml"])
async def test_settings_of_the_base_that_were_changed_count_as_they_were(project: Project, name: str) -> None:
    """Those that were there still do: here, where modules are and what a test file is called."""
    section = {"setup.cfg": "[tool:pytest]", "pyproject.toml": "[tool.pytest.ini_options]"}.get(name, "[pytest]")
    value = "{!r}" if name == "pyproject.toml" else "{}"
    text = f"{section}\npythonpath = {value.format('lib')}\npython_files = {value.format('check_*.py')}\n"
    attacked(project, name, PytestConfig(name=name, text=text))
    project.write(
        lib__shop_py="ITEMS = 1\n",
        tests__check_b_py="from shop import ITEMS\n\ndef test_bad():\n    assert ITEMS == 2\n",
    )
    result = await tested(project)
    assert [(case.id, case.outcome) for case in result.cases] == [("tests/check_b.py::test_bad", "failed")]


async def test_candidates_are_tried_by_the_bases_settings(project: Project) -> None:
    """In warm and cold workers and in the run that confirms them."""
    attacked(project, "pyproject.toml", PytestConfig(name="pytest.ini", text=""))
    project.write(shop_py="def area(w, h):\n    return w + h\n")
    project.write(tests__test_a_py="from shop import area\n\ndef test_bad():\n    assert area(3, 4) == 12\n")
    wrong, right = project.change("shop.py", ("w + h", "w - h")), project.change("shop.py", ("w + h", "w * h"))
    imported = project.change("shop.py", ("def area", "X = 1\n\n\ndef area"))
    tried = await project.try_("tests/test_a.py::test_bad", {"wrong": wrong, "right": right, "imported": imported})
    outcomes = {each.id: each.outcome for each in tried.results}
    assert outcomes == {"wrong": "failing", "right": "plausible", "imported": "failing"}


async def test_what_the_code_under_test_reads_is_what_was_written(project: Project) -> None:
    """pyproject.toml says more than how tests run: a test of its version sees the tree's."""
    project.settle(RunSettings(pytest=PytestConfig(name="pyproject.toml", text="[tool.pytest.ini_options]\n")))
    project.file("pyproject.toml", "[project]\nversion = '2'\n")
    project.write(test_a_py="def test_version():\n    assert \"version = '2'\" in open('pyproject.toml').read()\n")
    assert (await tested(project)).outcome == "passed"


async def test_a_link_in_place_of_the_settings_is_not_followed(project: Project) -> None:
    """The settings are put in its place, on the scratch copy alone."""
    outside = project.base / "outside.ini"
    outside.write_text("kept")
    (project.tree / "pytest.ini").symlink_to(outside)
    project.settle(RunSettings(pytest=PytestConfig(name="pytest.ini", text="[pytest]\n")))
    project.write(test_a_py="def test_a(): pass\n")
    assert (await tested(project)).outcome == "passed"
    assert outside.read_text() == "kept"
