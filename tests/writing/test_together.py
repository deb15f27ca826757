"""Both writers over the real repository, and the real test runner in its sandbox; the model's replies are scripted."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest

from contracts.code_writer import ProposeParams, WriteParams
from contracts.manifest import Manifest
from contracts.model import CompleteParams, CompleteResult, DescribeParams, DescribeResult
from contracts.test_runner import RunParams, RunResult
from contracts.test_writer import WriteTestsParams, WriteTestsResult
from servers.code_writer import CodeWriter
from servers.repository import Repository
from servers.sandbox.client import KeptSandbox, start_keeper
from servers.sandbox.order import Policy
from servers.specialist import Call, Room, tool
from servers.test_runner import TestRunner
from servers.test_writer import TestWriter
from tests.git_project import Project
from tests.search.together import Direct, Nobody, QuietCall
from tests.writing.scripted import RUN, blocks, result

SHOP = "def area(width, height):\n    return width + height\n\n\ndef sides():\n    return 4\n"
TESTS = """from shop import area, sides


def test_area():
    assert area(7, 8) == 56


def test_sides():
    assert sides() == 4
"""
GREEN = "from shop import sides\n\n\ndef test_sides():\n    assert sides() == 4\n"
PATH = "tests/test_shop.py"


@dataclass
class ScriptedModel:
    """A model server without a model."""

    manifest: ClassVar[Manifest] = Manifest(name="model", title="Model", description="Answers from a script.")
    answers: list[Mapping[str, object]] = field(default_factory=list[Mapping[str, object]])
    asked: list[CompleteParams] = field(default_factory=list[CompleteParams])

    @tool()
    async def complete(self, params: CompleteParams, call: Call) -> CompleteResult:
        """The next answer."""
        self.asked.append(params)
        return result(self.answers.pop(0))

    @tool()
    async def describe(self, params: DescribeParams, call: Call) -> DescribeResult:
        """Ready."""
        return DescribeResult(endpoint="scripted", model="scripted-1", ready=True, form="blocks")


@dataclass(frozen=True)
class Rig:
    """A crew over one tree."""

    project: Project
    room: Room
    model: ScriptedModel

    def write(self, *answers: Mapping[str, object], **files: str) -> None:
        """The tree holds exactly these files (`__` is `/`), and the model says this."""
        self.model.answers[:] = answers
        self.model.asked.clear()
        for old in (self.project.root / "tests", self.project.root / "shop.py"):
            shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
        self.project.commit({name.replace("__", "/") + ".py": text for name, text in files.items()})

    async def run(self, diff: str = "") -> RunResult:
        return await self.room.crew.call(
            "test_runner.run", RunParams(run=RUN, diff=diff), RunResult, parent=QuietCall()
        )

    async def tests(self, purpose: str, **more: object) -> WriteTestsResult:
        said: dict[str, object] = {
            "run": RUN,
            "purpose": purpose,
            "request": "area",
            "path": PATH,
            "instruction": "x",
            **more,
        }
        return await TestWriter(self.room).write(WriteTestsParams.model_validate(said), QuietCall())


@pytest.fixture(scope="module")
async def rig() -> AsyncIterator[Rig]:
    """One sandbox for all tests of this file."""
    home = Path(tempfile.mkdtemp(prefix="writing-")).resolve()
    home.chmod(0o755)
    try:
        work, scratch = home / "work", home / "scratch"
        tree = work / RUN / "tree"
        scratch.mkdir()
        project = Project(tree)
        async with KeptSandbox(
            start_keeper(Policy(scratch_root=scratch, read_only=(work,), read_anywhere=True))
        ) as kept:
            own = Room(work=work, scratch=scratch, crew=Nobody(), sandbox=kept)
            model = ScriptedModel()
            crew = Direct({"repository": Repository(own), "test_runner": TestRunner(own), "model": model})
            yield Rig(project, Room(work=work, scratch=scratch, crew=crew, sandbox=kept), model)
    finally:
        shutil.rmtree(home)


WRONG = blocks("    return width + height", "    return width - height")
RIGHT = blocks("    return width + height", "    return width * height")


async def test_a_repair_fails_is_told_how_and_then_passes(rig: Rig) -> None:
    """The second round's prompt has what pytest said of the first; the proposal makes the real suite green."""
    rig.write(WRONG, RIGHT, shop=SHOP, tests__test_shop=TESTS)
    params = ProposeParams(run=RUN, request="area is wrong", failing=(f"{PATH}::test_area",), engine="model")
    found = await CodeWriter(rig.room).propose(params, QuietCall())
    (proposal,) = found.proposals
    assert "assert 15 == 56" in rig.model.asked[0].turns[0].text
    assert "assert -1 == 56" in rig.model.asked[1].turns[-1].text
    assert (found.tried.failing, found.tried.plausible) == (1, 1)
    assert (await rig.run(proposal.patch.diff)).outcome == "passed"


async def test_of_two_versions_the_one_that_passes_is_written(rig: Rig) -> None:
    """Though the other came first."""
    rig.write(WRONG, RIGHT, shop=SHOP, tests__test_shop=TESTS)
    params = WriteParams(
        run=RUN, request="area", path="shop.py", instruction="x", tests=(f"{PATH}::test_area",), candidates=2
    )
    written = await CodeWriter(rig.room).write(params, QuietCall())
    assert written.patch is not None
    assert "width * height" in written.patch.diff
    assert "makes no other test worse" in written.note


async def test_a_test_for_a_bug_is_red_now(rig: Rig) -> None:
    """One that passes goes back; the one taken fails by its assertion, and the old tests still pass."""
    end = "    assert sides() == 4"
    green = blocks(
        end, f"{end}\n\n\ndef test_area():\n    from shop import area\n\n    assert area(2, 2) == 4", tests=[]
    )
    red = blocks(
        end, f"{end}\n\n\ndef test_area():\n    from shop import area\n\n    assert area(7, 8) == 56", tests=[]
    )
    rig.write(green, red, shop=SHOP, tests__test_shop=GREEN)
    written = await rig.tests("bug")
    assert [(each.id, each.outcome) for each in written.tests] == [(f"{PATH}::test_area", "failed")]
    assert "test_area is passed on the code as it is" in rig.model.asked[1].turns[-1].text
    assert written.patch is not None
    assert [each.outcome for each in (await rig.run(written.patch.diff)).cases] == ["passed", "failed"]


async def test_a_test_for_a_feature_is_red_by_what_is_missing(rig: Rig) -> None:
    """Though pytest cannot collect the file; its ids are those it has once the feature is there."""
    case = "@pytest.mark.parametrize('n', [1, 2])\ndef test_volume(n):\n    assert volume(n) == n\n"
    text = f"import pytest\nfrom shop import volume\n\n\n{case}"
    rig.write({"text": text, "summary": "s", "tests": [{"name": "test_volume"}]}, shop=SHOP, tests__test_shop=GREEN)
    written = await rig.tests("feature", path="tests/test_volume.py")
    assert [(each.id, each.outcome) for each in written.tests] == [("tests/test_volume.py::test_volume", "error")]
    assert "cannot import name 'volume'" in written.note


async def test_a_test_of_what_is_there_is_green_twice_or_nothing(rig: Rig) -> None:
    """One with a mistake of its own goes back first."""
    end = "    assert sides() == 4"
    test = "@pytest.mark.parametrize('n', [1, 2])\ndef test_n(n):\n    assert sides() > n"
    more = {"search": end, "replace": f"{end}\n\n\n{test}"}
    imports = {"search": "from shop import sides", "replace": "import pytest\nfrom shop import sides"}
    broken = {"blocks": [more], "summary": "s", "tests": []}
    fixed = {"blocks": [imports, more], "summary": "s", "tests": []}
    rig.write(broken, fixed, shop=SHOP, tests__test_shop=GREEN)
    written = await rig.tests("existing")
    assert [each.id for each in written.tests] == [f"{PATH}::test_n[1]", f"{PATH}::test_n[2]"]
    assert "could not be run" in rig.model.asked[1].turns[-1].text
    assert "NameError" in rig.model.asked[1].turns[-1].text


async def test_new_tests_that_pytest_puts_between_old_ones_go_back(rig: Rig) -> None:
    """Tests that share a fixture with parameters take turns, wherever they stand."""
    old = (
        "import pytest\nfrom shop import sides\n\n\n@pytest.fixture(scope='module', params=[4, 5])\n"
        "def most(request):\n    return request.param\n\n\ndef test_sides(most):\n    assert sides() <= most\n"
    )
    end = "    assert sides() <= most"
    among = blocks(end, f"{end}\n\n\ndef test_few(most):\n    assert sides() < most + 1\n", tests=[])
    behind = blocks(end, f"{end}\n\n\ndef test_few():\n    assert sides() < 5\n", tests=[])
    rig.write(among, behind, shop=SHOP, tests__test_shop=old)
    written = await rig.tests("existing")
    assert [each.id for each in written.tests] == [f"{PATH}::test_few"]
    assert f"{PATH}::test_few[4] runs before old tests" in rig.model.asked[1].turns[-1].text
