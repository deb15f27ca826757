"""The bundle's folder, and what it warns of."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from contracts import diff
from contracts.bundle import Bundle, Comparison
from contracts.sandbox import SandboxReport
from orchestrator import bundle as bundles
from orchestrator.risks import risks
from tests.orchestrator.crew import BRANCH, GOOD, RUN, proposal
from tests.orchestrator.stage import Stage
from tests.orchestrator.test_gates import HANDOFF, approve, resumed, waiting

BETTER = Comparison(verdict="better", reason="")


async def made(stage: Stage) -> tuple[Bundle, Path]:
    outcome = await stage.run()
    folder = Path(outcome.state.bundle)
    return Bundle.model_validate_json((folder / "bundle.json").read_bytes()), folder


async def test_a_folder_that_is_right_is_left_alone(stage: Stage) -> None:
    """Written again after the run's own copy of the branch is gone, the folder stays as it is."""
    bundle, folder = await made(stage)
    before = (folder / "bundle.json").stat()
    bundles.write(folder, bundle, stage.paths.work / "gone")
    assert (folder / "bundle.json").stat() == before


@pytest.mark.parametrize("name", bundles.FILES)
async def test_a_folder_that_was_changed_is_written_anew(stage: Stage, tmp_path: Path, name: str) -> None:
    """Whatever file was altered or removed, writing puts all of it right."""
    bundle, folder = await made(stage)
    right = (folder / name).read_bytes()
    (folder / name).write_bytes(b"something else")
    source = tmp_path / "branch"
    source.write_bytes(BRANCH)
    bundles.write(folder, bundle, source)
    assert (folder / name).read_bytes() == right


async def test_a_branch_that_is_not_the_one_that_was_shown_is_not_handed_over(stage: Stage) -> None:
    """Changed between the gate and the handover, the branch's file ends the run; nothing is delivered."""
    request = await waiting(stage, HANDOFF)
    (stage.paths.bundles / RUN / bundles.BRANCH_FILE).write_bytes(b"another branch")
    (stage.paths.work / RUN / "branch.bundle").write_bytes(b"another branch")
    outcome = await resumed(stage, approve(request), request)
    assert outcome.exit_code == 1
    assert "not the file that was shown" in outcome.state.reason
    assert stage.checkout.delivered == []


async def test_a_folder_that_cannot_be_written_ends_the_run_with_a_way_out(stage: Stage) -> None:
    """A file where the folder is to be is said, and nothing is left running."""
    stage.paths.bundles.write_text("in the way")
    outcome = await stage.run()
    assert outcome.exit_code == 1
    assert str(stage.paths.bundles) in outcome.state.reason
    assert "PODIUM_STATE_DIR" in outcome.state.way_out


async def test_a_diff_with_backticks_stays_inside_its_fence(stage: Stage) -> None:
    """A patch cannot end its own code block in the summary."""
    bundle, _ = await made(stage)
    patch = bundle.patch.model_copy(update={"diff": GOOD + "+`````\n"})
    text = bundles.summary(bundle.model_copy(update={"patch": patch}))
    assert text.count("``````") == 2


def warned(**changes: object) -> str:
    usual: dict[str, object] = {
        "files": ("x.py",),
        "diff": GOOD,
        "proposal": proposal(GOOD),
        "rivals": 0,
        "comparison": BETTER,
        "sandbox": "full",
        "findings_new": (),
        "linted": True,
        "still_red": 0,
        "notes": (),
        "masked": (),
        "engine": "search",
        "tests_written": False,
    }
    return "\n".join(risks(**{**usual, **changes}))  # pyright: ignore[reportArgumentType] - one keyword differs a case


def test_a_change_with_nothing_to_warn_of_has_no_risks() -> None:
    """Enough tests, no rivals, full sandbox, linted: nothing is said."""
    assert warned() == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rivals": 2}, "2 other patches are just as plausible"),
        ({"diff": diff.make("pyproject.toml", "a\n", "b\n")}, "depends on: pyproject.toml"),
        ({"diff": diff.make(".github/workflows/ci.yml", "a\n", "b\n")}, "automation"),
        ({"files": ("pkg/tests/test_x.py",)}, "Changes tests"),
        ({"sandbox": "weak"}, "level weak"),
        ({"linted": False}, "No linter"),
        ({"still_red": 3}, "3 other tests fail"),
        ({"proposal": None}, "written by a person"),
        ({"engine": "model"}, "A model wrote it: the tests are all that speaks for it."),
        ({"engine": "model", "tests_written": True}, "A model wrote it, its tests included"),
        ({"engine": "agent"}, "An agent wrote it: the tests are all that speaks for it."),
        ({"notes": ("Uncommitted changes are not included: a.py.",)}, "a.py"),
        ({"comparison": Comparison(verdict="unclear", reason="2 vanished")}, "2 vanished"),
    ],
)
def test_what_a_reviewer_should_know_is_said(changes: dict[str, object], words: str) -> None:
    """Each risk by itself, in plain words."""
    assert words in warned(**changes)


@pytest.mark.parametrize(
    "path",
    [
        *("podium.toml", "lib/pytest.ini", "tox.ini", "setup.cfg", "pkg/conftest.py", "pyproject.toml", "package.json"),
        *("sitecustomize.py", "json.py", "src/pytest/__init__.py", "x.dist-info/entry_points.txt", "Makefile"),
    ],
)
def test_what_may_change_how_tests_run_is_named(path: str) -> None:
    """Settings, code that runs before the tests, and new modules in place of the interpreter's or pytest's."""
    assert f"Changes how tests run: {path}." in warned(diff=diff.make(path, None, "x = 1\n"))


def test_a_module_that_was_there_stands_in_for_nothing_new() -> None:
    """A project may have a `queue.py` of its own."""
    assert "how tests run" not in warned(diff=diff.make("queue.py", "x = 1\n", "x = 2\n"))


@pytest.mark.parametrize(
    ("path", "text", "named"),
    [
        ("shop.py", 'if "pytest" in sys.modules:\n', True),
        ("shop.py", "import _pytest.runner\n", True),
        ("tests/test_shop.py", "pytest_plugins = ['forge']\n", True),
        ("tests/test_shop.py", "def pytest_runtest_makereport(item): ...\n", True),
        ("tests/test_shop.py", "import pytest\n", False),
        ("docs.md", "Run pytest.\n", False),
    ],
)
def test_code_that_reaches_for_the_program_that_runs_it_is_named(path: str, text: str, named: bool) -> None:
    """Nothing can keep code under test from it; a reviewer has to look."""
    assert ("Speaks of the program that runs the tests" in warned(diff=diff.make(path, None, text))) is named


def test_few_tests_through_the_change_are_said() -> None:
    """Evidence that hardly anything exercises the change is a risk."""
    weak = proposal(GOOD)
    evidence = weak.evidence.model_copy(update={"tests_through": 0, "calls_changed": 2})
    text = warned(proposal=weak.model_copy(update={"evidence": evidence}))
    assert "no tests run through the changed lines" in text
    assert "2 of 9 calls" in text


@pytest.mark.parametrize("observed", [True, False])
@pytest.mark.parametrize("engine", ["search", "model"])
async def test_the_bundle_says_that_a_model_wrote_the_patch_when_one_did(
    stage: Stage, engine: Literal["search", "model"], observed: bool
) -> None:
    """By who made the proposals of that round: neither what was paid nor what was observed decides it."""
    found = proposal(GOOD)
    evidence = found.evidence.model_copy(update={"observed": observed})
    stage.crew.engine, stage.crew.proposals = engine, (found.model_copy(update={"evidence": evidence}),)
    bundle, _ = await made(stage)
    said = "A model wrote it: the tests are all that speaks for it."
    assert [risk for risk in bundle.risks if "model" in risk] == ([said] if engine == "model" else [])


async def test_the_bundle_names_the_weakest_sandbox_of_the_run(stage: Stage) -> None:
    """A single run of tests at a lower level is what the bundle says, and warns of."""
    weak = SandboxReport(level="weak", backend="seccomp")
    stage.crew.before = stage.crew.before.model_copy(update={"sandbox": weak})
    bundle, _ = await made(stage)
    assert bundle.sandbox == "weak"
    assert any("weak" in risk for risk in bundle.risks)
