"""`coverage`: which tests ran which lines of what the failing tests reach."""

from __future__ import annotations

import pytest

from contracts.test_runner import CoverageParams, CoverageResult
from servers.specialist import ToolError
from tests.test_runner.project import RUN, Asked, Project

CALC = """\
def sign(n):
    if n > 0:
        return 1
    if n < 0:
        return 1
    return 0


def unrelated():
    return 5
"""
TESTS = """\
import threading
from calc import sign, unrelated

def test_unrelated(): assert unrelated() == 5
def test_plus(): assert sign(3) == 1
def test_minus(): assert sign(-3) == -1
def test_thread():
    thread = threading.Thread(target=sign, args=(0,))
    thread.start()
    thread.join()
"""


async def coverage(project: Project, *failing: str, budget_s: float = 60) -> CoverageResult:
    return await project.runner.coverage(CoverageParams(run=RUN, failing=failing, budget_s=budget_s), Asked())


async def test_lines_are_told_with_the_tests_that_ran_them(project: Project) -> None:
    """Failing tests first; functions they do not reach are left out; threads count."""
    project.file("calc.py", CALC)
    project.file("test_calc.py", TESTS)
    with project.untouched():
        result = await coverage(project, "test_calc.py::test_minus")
    names = [case.id.partition("::")[2] for case in result.tests]
    assert names == ["test_minus", "test_unrelated", "test_plus", "test_thread"]
    lines = {each.line: {names[test] for test in each.tests} for each in result.lines if each.path == "calc.py"}
    assert lines == {
        2: {"test_minus", "test_plus", "test_thread"},
        3: {"test_plus"},
        4: {"test_minus", "test_thread"},
        5: {"test_minus"},
        6: {"test_thread"},
    }
    assert result.complete
    assert [case.id for case in result.failures] == ["test_calc.py::test_minus"]
    assert result.failures[0].frames[-1].path == "test_calc.py"


async def test_a_failing_test_that_hangs_is_traced_up_to_its_limit(project: Project) -> None:
    """An endless loop is stopped, its lines are known, and the others follow."""
    project.file("loop.py", "def loop(n):\n    while n:\n        n = n\n")
    project.file("test_loop.py", "from loop import loop\ndef test_hang(): loop(1)\ndef test_none(): loop(0)\n")
    result = await coverage(project, "test_loop.py::test_hang", budget_s=40)
    assert [case.outcome for case in result.tests] == ["failed", "passed"]
    assert {each.line for each in result.lines if each.path == "loop.py"} == {2, 3}


async def test_a_test_that_is_not_there_is_not_found(project: Project) -> None:
    """Nothing is said of a test that does not exist."""
    project.file("test_calc.py", "def test_a(): pass\n")
    with pytest.raises(ToolError, match="test_b"):
        await coverage(project, "test_calc.py::test_b")
