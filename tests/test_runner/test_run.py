"""`run`: what the tests said, believed only where all that is known agrees."""

from __future__ import annotations

import re
import sys
import venv
from pathlib import Path

import pytest

from contracts.base import sha256
from contracts.run_settings import RunSettings
from contracts.sandbox import Limits
from contracts.test_runner import CoverageParams, RunParams, RunResult
from servers.specialist import ToolError
from servers.testing.confined import Confined
from servers.testing.program import program
from servers.testing.scratch import scratch_copy
from servers.testing.suite import run_pytest
from tests.test_runner.project import RUN, Asked, Project

CALC = """
    def add(a, b):
        return a - b
"""


async def run(project: Project, *tests: str, diff: str = "", timeout_s: float = 120) -> RunResult:
    return await project.runner.run(RunParams(run=RUN, tests=tests, diff=diff, timeout_s=timeout_s), Asked())


async def test_every_kind_of_outcome_is_told_with_its_place_in_the_tree(project: Project) -> None:
    """Outcomes, counts, the last line of a failure, and the frames that lie in the tree; src layouts import."""
    project.write(
        src__calc_py=CALC,
        tests__test_calc_py="""
            import unittest
            import pytest
            from calc import add

            def test_wrong():
                assert add(1, 2) == 3

            def test_right():
                assert add(0, 0) == 0

            @pytest.mark.xfail
            def test_known():
                assert add(1, 1) == 2

            @pytest.mark.skip
            def test_not_today():
                pass

            @pytest.fixture
            def broken():
                raise KeyError("\\x1b[31mred")

            def test_with_fixture(broken):
                pass

            @pytest.mark.parametrize("n", [0, 1])
            def test_each(n):
                assert add(n, 0) == n

            class Old(unittest.TestCase):
                def test_case(self):
                    self.assertEqual(add(2, 2), 4)
        """,
    )
    with project.untouched():
        result = await run(project)
    assert result.outcome == "failed"
    assert result.counts.model_dump() == {
        "passed": 3,
        "failed": 2,
        "error": 1,
        "skipped": 1,
        "xfailed": 1,
        "xpassed": 0,
    }
    cases = {case.id.removeprefix("tests/test_calc.py::"): case for case in result.cases}
    assert list(cases)[-1] == "Old::test_case"
    assert cases["test_wrong"].frames[-1].text == "assert add(1, 2) == 3"
    assert cases["test_wrong"].frames[-1].path == "tests/test_calc.py"
    assert cases["test_wrong"].message.startswith("AssertionError: assert -1 == 3")
    assert cases["test_with_fixture"].outcome == "error"
    assert "\x1b" not in result.model_dump_json() + result.output_tail


async def test_only_the_named_tests_run_and_a_diff_is_tried_without_touching_the_tree(project: Project) -> None:
    """A diff is applied to the scratch copy only; the tests named are the tests reported."""
    project.write(
        calc_py=CALC, test_calc_py="from calc import add\ndef test_a(): assert add(1, 2) == 3\ndef test_b(): 1/0\n"
    )
    with project.untouched():
        result = await run(project, "test_calc.py::test_a", diff=project.change("calc.py", ("a - b", "a + b")))
    assert (result.outcome, [case.id for case in result.cases]) == ("passed", ["test_calc.py::test_a"])


async def test_a_test_that_does_not_exist_and_an_empty_suite_are_no_tests(project: Project) -> None:
    """Nothing that ran is not green."""
    assert (await run(project)).outcome == "no_tests"
    project.write(test_calc_py="def test_a(): pass\n")
    missing = await run(project, "test_calc.py::test_b")
    assert missing.outcome == "no_tests"
    assert "test_calc.py::test_b" in missing.reason


async def test_a_file_that_cannot_be_imported_is_a_collection_error_with_its_place(project: Project) -> None:
    """The frames lead to the line that failed on import."""
    project.write(calc_py="import nowhere_to_be_found\n", test_calc_py="import calc\ndef test_a(): pass\n")
    result = await run(project)
    assert result.outcome == "collection_error"
    assert "nowhere_to_be_found" in result.reason
    assert [frame.path for frame in result.cases[0].frames][-1] == "calc.py"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("import os; os._exit(0)", "status 0 before pytest was done"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "signal 11"),
        ("import os; os.closerange(3, 5000); import gc", ""),
    ],
)
async def test_a_process_that_ends_in_the_middle_is_broken_and_names_the_test(
    project: Project, body: str, reason: str
) -> None:
    """A crash is not a result, whatever the exit status says."""
    project.write(test_a_py=f"def test_good(): pass\ndef test_fatal(): {body}\n")
    result = await run(project)
    assert result.outcome == "broken"
    assert reason in result.reason


async def test_a_hang_ends_at_the_time_limit_and_names_the_test(project: Project) -> None:
    """The test that was running is reported as not finished."""
    project.write(test_a_py="def test_good(): pass\ndef test_hang():\n    while True: pass\n")
    result = await run(project, timeout_s=12)
    assert result.outcome == "stopped"
    assert [case.outcome for case in result.cases] == ["passed", "error"]
    assert result.cases[-1].id == "test_a.py::test_hang"


@pytest.mark.parametrize(
    ("body", "ended"),
    [
        ("while True: os.write(1, b'x' * 100_000)", "output"),
        ("for n in range(1000): open(f'fill{n}', 'wb').write(b'x' * 1_000_000); time.sleep(0.02)", "disk"),
    ],
)
async def test_a_test_that_floods_ends_at_that_limit(project: Project, body: str, ended: str) -> None:
    """Output and disk have ceilings, and the result says which was reached."""
    project.write(test_a_py=f"import os, time\ndef test_flood():\n    {body}\n")
    limits = Limits(wall_s=60, output_kill_bytes=20 << 20, disk_bytes=20 << 20)
    confined = Confined(project.sandbox, program(project.tree, project.base / "none.json"))
    async with scratch_copy(project.tree, project.scratch) as home:
        # The sandbox captures output itself only where pytest does not.
        (home / "tree" / "pytest.ini").write_text("[pytest]\naddopts = -s\n")
        result = await run_pytest(confined, home, Asked(), limits=limits)
    assert (result.outcome, result.sandbox.ended) == ("stopped", ended)


async def test_of_a_log_of_two_hundred_thousand_lines_the_end_is_shown_and_the_rest_is_counted(
    project: Project,
) -> None:
    """What comes back is small, whole lines, and says how much it leaves out."""
    body = "for n in range(200_000): print(f'step {n} went as it should have gone, as far as one can tell')"
    project.write(test_a_py=f"def test_talks():\n    {body}\n    assert not n\n")
    result = await run(project)
    assert result.outcome == "failed"
    assert len(result.model_dump_json()) < 50_000
    said = re.match(r"\[… ([0-9,]+) bytes before this are left out …\]\n(?:step [0-9]+ went|E  )", result.output_tail)
    assert said is not None
    assert int(said[1].replace(",", "")) > 200_000 * 60
    assert "step 199999 went as it should" in result.output_tail


@pytest.mark.parametrize(
    "conftest",
    [
        "def pytest_sessionfinish(session): session.exitstatus = 0\n",
        "import os\ndef pytest_sessionfinish(session): os._exit(0)\n",
        "import os\ndef pytest_unconfigure(config): os._exit(0)\n",
        "def pytest_runtest_logreport(report): report.nodeid = 'test_a.py::test_other'\n",
    ],
)
async def test_a_conftest_that_hides_a_failure_is_found_out(project: Project, conftest: str) -> None:
    """Exit status, what was collected and what was reported must agree; else the result is not believed."""
    project.write(conftest_py=conftest, test_a_py="def test_wrong(): assert 0\n")
    assert (await run(project)).outcome == "broken"


async def test_what_is_not_a_plain_file_is_copied_without_being_followed(project: Project) -> None:
    """Odd names and line ends survive; a link out of the tree stays a link; nothing is left behind."""
    outside = project.base / "outside.txt"
    outside.write_text("secret")
    project.file("über maß/a b.txt", "one\r\ntwo")
    (project.tree / "link").symlink_to(outside)
    (project.tree / ".git").write_text("gitdir: elsewhere")
    project.write(
        test_a_py="""
        import os, pytest
        def test_copy():
            assert open("über maß/a b.txt", "rb").read() == b"one\\r\\ntwo"
            assert os.path.islink("link")
            with pytest.raises(OSError):
                open("link")
            assert not os.path.exists(".git")
            os.chmod("über maß", 0)
        """
    )
    with project.untouched():
        result = await run(project)
    assert result.outcome == "passed", result
    assert outside.read_text() == "secret"


@pytest.mark.parametrize("path", ["../outside.py", "/etc/outside.py", ".git/hooks/x", "link/inside.py"])
async def test_a_diff_that_leaves_the_tree_is_refused(project: Project, path: str) -> None:
    """Before anything runs."""
    (project.tree / "link").symlink_to(project.base)
    text = f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+x\n"
    with pytest.raises(ToolError) as refused:
        await run(project, diff=text)
    assert refused.value.failure.kind == "invalid"
    assert not (project.base / "inside.py").exists()


async def test_an_interpreter_without_pytest_is_broken_with_that_reason(project: Project, tmp_path: Path) -> None:
    """The project's own interpreter runs the tests, named by intake's settings."""
    venv.create(tmp_path / "own", symlinks=True)
    project.settle(RunSettings(python=str(tmp_path / "own/bin/python")))
    project.write(test_a_py="def test_a(): pass\n")
    result = await run(project)
    assert result.outcome == "broken"
    assert "cannot import pytest" in result.reason


async def test_a_command_is_believed_by_its_junit_report_and_status_together(project: Project) -> None:
    """Any runner that writes JUnit XML; a status that contradicts the report is not believed."""
    project.write(test_a_py="def test_good(): pass\ndef test_bad(): assert 0\n", lie_py="print('no report written')\n")
    command = (sys.executable, "-m", "pytest", "--junitxml=out.xml")
    project.settle(RunSettings(test_command=command, junit="out.xml"))
    result = await run(project)
    assert (result.outcome, result.counts.passed, result.counts.failed) == ("failed", 1, 1)
    picked = await run(project, "test_a::test_good")
    assert (picked.outcome, len(picked.cases)) == ("passed", 1)
    project.settle(RunSettings(test_command=(sys.executable, "lie.py"), junit="out.xml"))
    project.file("out.xml", "<testsuite><testcase name='old'/></testsuite>")
    assert (await run(project)).outcome == "broken"


async def test_secrets_that_tests_print_are_not_told(project: Project) -> None:
    """In failures, a digest stands for each, the same one for the same; lines of the source stay what they are."""
    key = "ghp_" + "a1B2" * 9
    told = f"[masked: GitHub Token sha256:{sha256(key.encode())[:8]}]"
    project.file("test_keys.py", "KEY = 'ghp_' + 'a1B2' * 9\n\ndef test_key():\n    assert KEY == 'x'\n")
    result = await project.runner.run(RunParams(run=RUN), Asked())
    (case,) = result.cases
    assert key not in result.model_dump_json()
    assert told in case.message
    assert told in case.detail
    assert case.frames[-1].text == "assert KEY == 'x'"
    traced = await project.runner.coverage(CoverageParams(run=RUN, failing=(case.id,)), Asked())
    assert key not in traced.model_dump_json()
    assert told in traced.failures[0].detail
