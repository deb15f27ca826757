"""What a specialist away sees of a run is what lies at home, whatever happens while it is brought."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import anyio
import pytest

from contracts import diff
from contracts.base import Model
from contracts.run_settings import RunSettings
from contracts.test_runner import RunResult
from contracts.workspace import ApplyParams, CommitParams, OpenParams, PackParams, PackResult, RevertParams
from servers.away import mirrors
from servers.away.mirrors import Mirrors
from servers.sandbox.client import KeptSandbox, start_keeper
from servers.sandbox.order import Policy
from servers.specialist import Call, Room, ToolError, tools_of
from servers.test_runner import TestRunner
from servers.throwaway import open_scratch
from servers.workspace import Workspace
from tests.cli.conftest import ROOT, SETTINGS, STOCK, TESTS
from tests.git_project import RUN, FakeCall, Nobody, Project, bring_in

R = TypeVar("R", bound=Model)

RIGHT = STOCK.replace("wanted < self", "wanted <= self")
WRONG = STOCK.replace("wanted < self", "wanted > self")


@dataclass
class Home:
    """The machine where the run is. To those away it is their crew: the workspace, asked without a broker."""

    project: Project
    workspace: Workspace
    work: Path
    base: str
    tampers: Callable[[PackResult], PackResult] = lambda packed: packed
    sent: list[int] = field(default_factory=list[int])
    """Bytes of each pack that was asked for."""

    async def call(self, tool: str, params: Model, result: type[R], *, parent: Call) -> R:
        assert tool == "workspace.pack"
        packed = self.tampers(await self.workspace.pack(PackParams.model_validate(params.model_dump()), FakeCall()))
        self.sent.append(len(packed.pack))
        return result.model_validate(packed.model_dump())

    async def apply(self, new: str, old: str = STOCK, head: str = "") -> None:
        text = diff.make("stock.py", old, new)
        await self.workspace.apply(ApplyParams(run=RUN, diff=text, expected_head=head or self.base), FakeCall())

    async def commit(self) -> str:
        params = CommitParams(run=RUN, step="fix", agent="tests", subject="Fix it")
        return (await self.workspace.commit(params, FakeCall())).head

    async def revert(self) -> None:
        await self.workspace.revert(RevertParams(run=RUN, commit=self.base), FakeCall())


@pytest.fixture
async def home(tmp_path: Path) -> Home:
    project = Project(tmp_path / "theirs")
    project.write({"stock.py": STOCK, "tests/test_stock.py": TESTS, "pyproject.toml": SETTINGS, "run.sh": "true\n"})
    (project.root / "run.sh").chmod(0o755)
    (project.root / "link.py").symlink_to("stock.py")
    project.commit({".gitattributes": "*.py text eol=crlf ident\n"})
    room, brought = bring_in(project, tmp_path / "home")
    workspace = Workspace(room)
    await workspace.open(OpenParams(run=RUN, base=brought.base), FakeCall())
    return Home(project, workspace, room.work, brought.base)


@pytest.fixture
def away(home: Home, tmp_path: Path) -> Mirrors:
    return Mirrors(tmp_path / "away" / "mirrors", home)


@pytest.fixture(scope="module")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[KeptSandbox]:
    """The strongest that this machine allows."""
    async with KeptSandbox(start_keeper(Policy(tmp_path_factory.getbasetemp(), read_anywhere=True))) as kept:
        yield kept


def seen(tree: Path) -> dict[str, tuple[int, bytes]]:
    """Mode and content of all that is in a tree, but for git's own file."""
    return {
        str(path.relative_to(tree)): (
            path.lstat().st_mode,
            os.readlink(path).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b"",
        )
        for path in tree.rglob("*")
        if path.name != ".git"
    }


async def look(away: Mirrors) -> dict[str, tuple[int, bytes]]:
    async with away.now(RUN, FakeCall()) as name:
        return seen(away.work / name / "tree")


def said(result: RunResult) -> object:
    """A result without what no two runs have in common: what it took, and where in memory things lay."""
    cases = [case.model_copy(update={"duration_s": 0}).canonical().decode() for case in result.cases]
    how = (result.sandbox.backend, result.sandbox.level, result.sandbox.ended)
    return result.outcome, result.counts, [re.sub("0x[0-9a-f]+", "0x", case) for case in cases], result.reason, how


async def test_tests_end_as_they_do_at_home_whatever_was_done_to_the_tree(
    home: Home, away: Mirrors, sandbox: KeptSandbox, tmp_path: Path
) -> None:
    """As it was taken in, with a patch applied, committed, and reverted: the same cases, messages and sandbox.

    What is sent is a pack at first, then what has changed, and nothing where nothing has.
    """
    (tmp_path / "scratch").mkdir()
    here = TestRunner(Room(home.work, tmp_path / "scratch", Nobody(), sandbox))
    there = TestRunner(Room(away.work, tmp_path / "scratch", Nobody(), sandbox))
    (run_here,) = [one for one in tools_of(here) if one.spec.name == "run"]
    (run_there,) = [away.around(one) for one in tools_of(there) if one.spec.name == "run"]

    async def both() -> RunResult:
        results: list[RunResult] = []
        for tool in (run_here, run_there):
            answer = await tool.handler(tool.params.model_validate({"run": RUN, "timeout_s": 60}), FakeCall())
            results.append(RunResult.model_validate(answer.model_dump()))
        assert said(results[0]) == said(results[1])
        return results[1]

    assert (await both()).outcome == "failed"
    await home.apply(RIGHT)
    assert (await both()).outcome == "passed"
    await home.commit()
    assert await look(away) == seen(home.work / RUN / "tree")
    await home.revert()
    assert (await both()).outcome == "failed"
    first, second, *others = home.sent
    assert first > second > 0 == sum(others)


async def test_a_mirror_is_what_git_has_at_home_to_the_byte_and_mode(home: Home, away: Mirrors) -> None:
    """Links, modes, and content that `.gitattributes` would have git convert."""
    assert await look(away) == seen(home.work / RUN / "tree")


async def test_a_call_keeps_its_tree_while_others_get_newer_ones(
    home: Home, away: Mirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two at the same time share one; what no call uses any more goes after a few newer ones."""
    monkeypatch.setattr(mirrors, "KEPT_TREES", 2)
    before = seen(home.work / RUN / "tree")
    async with away.now(RUN, FakeCall()) as mine, away.now(RUN, FakeCall()) as shared:
        assert mine == shared
        for number in range(4):
            await home.revert()
            await home.apply(f"{STOCK}# {number}\n")
            await look(away)
        assert seen(away.work / mine / "tree") == before
        assert len(list(away.work.iterdir())) == 1 + 2
    await look(away)
    await home.revert()
    assert await look(away) == before


def foreign(packed: PackResult) -> PackResult:
    """The objects of another tree."""
    other = subprocess.run(
        ["git", "pack-objects", "--quiet", "--stdout", "--revs"],
        cwd=ROOT,
        input=b"HEAD:configs\n",
        capture_output=True,
        check=True,
    )
    return packed.model_copy(update={"pack": base64.b64encode(other.stdout).decode()})


def cut_short(packed: PackResult) -> PackResult:
    return packed.model_copy(update={"pack": base64.b64encode(base64.b64decode(packed.pack)[:-30]).decode()})


def no_pack(packed: PackResult) -> PackResult:
    return packed.model_copy(update={"pack": "!"})


def nothing(packed: PackResult) -> PackResult:
    return packed.model_copy(update={"pack": ""})


@pytest.mark.parametrize("tampers", [foreign, cut_short, no_pack, nothing])
async def test_a_pack_that_does_not_hold_the_tree_is_refused(
    home: Home, away: Mirrors, tampers: Callable[[PackResult], PackResult]
) -> None:
    """No handler sees any of it, and it is not in the way of the next one."""
    home.tampers = tampers
    with pytest.raises(ToolError, match="is not the tree") as refused:
        await look(away)
    assert refused.value.failure.kind == "internal"
    assert not list(away.work.iterdir())
    home.tampers = lambda packed: packed
    assert await look(away) == seen(home.work / RUN / "tree")


DYING = """
import sys
from pathlib import Path
import anyio
from contracts.workspace import PackResult
from servers.away.mirrors import Mirrors
from tests.git_project import RUN, FakeCall

class Given:
    async def call(self, tool, params, result, *, parent):
        return PackResult.model_validate_json(sys.stdin.read())

async def take():
    async with Mirrors(Path(sys.argv[1]) / "mirrors", Given()).now(RUN, FakeCall()):
        print("it lived")

anyio.run(take)
"""


@pytest.mark.parametrize("step", ["index-pack", "checkout-index"])
async def test_who_is_killed_at_it_does_it_over(home: Home, tmp_path: Path, step: str) -> None:
    """Whatever git has done by then lies there; but a member begins with an empty folder, and gets all of it again."""
    packed = await home.workspace.pack(PackParams(run=RUN), FakeCall())
    programs, scratch = tmp_path / "bin", open_scratch(tmp_path / "member")
    programs.mkdir()
    killing = f'#!/bin/sh\ncase " $* " in *" {step} "*) kill -9 $PPID;; esac\nPATH=${{PATH#*:}} exec git "$@"\n'
    (programs / "git").write_text(killing)
    (programs / "git").chmod(0o755)
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    command = [sys.executable, "-c", DYING, str(scratch)]
    died = await anyio.run_process(command, cwd=ROOT, env=env, input=packed.canonical(), check=False)
    assert died.returncode == -9, died.stderr
    assert list((scratch / "mirrors").iterdir())
    again = Mirrors(open_scratch(tmp_path / "member") / "mirrors", home)
    assert await look(again) == seen(home.work / RUN / "tree")


async def test_objects_that_have_become_too_many_begin_anew(
    home: Home, away: Mirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then all of a tree is sent again, once."""
    monkeypatch.setattr(mirrors, "MAX_PACKS", 1)
    await look(away)
    await home.apply(RIGHT)
    await look(away)
    await look(away)
    await look(away)
    whole, part, again, nothing_new = home.sent
    assert part < whole < again * 1.1
    assert nothing_new == 0
    assert await look(away) == seen(home.work / RUN / "tree")


async def test_a_replica_that_nobody_asks_keeps_nothing(home: Home, tmp_path: Path) -> None:
    """Nobody tells it that a run has ended; while a call is at work, all stays."""
    away = Mirrors(tmp_path / "mirrors", home, idle_s=0.01)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(away.forget_when_idle)
        async with away.now(RUN, FakeCall()) as name:
            assert (away.work / name / "tree/stock.py").read_text() == STOCK
        with anyio.fail_after(60):
            while list(away.work.iterdir()) or (tmp_path / "mirrors/objects.git").exists():
                await anyio.lowlevel.checkpoint()
        assert await look(away) == seen(home.work / RUN / "tree")
        tasks.cancel_scope.cancel()


async def test_an_interpreter_of_that_machine_can_stand_for_the_one_at_home(home: Home, tmp_path: Path) -> None:
    """All else of how the tests run is as the run has it."""
    settled = RunSettings(python="/home/ada/.venv/bin/python", test_command=("make", "check"), junit="out.xml")
    (home.work / RUN / "settings.json").write_text(settled.model_dump_json())
    for python, found in ((None, settled.python), (Path("/opt/py/bin/python"), "/opt/py/bin/python")):
        away = Mirrors(tmp_path / f"away-{found == settled.python}", home, python)
        async with away.now(RUN, FakeCall()) as name:
            written = RunSettings.model_validate_json((away.work / name / "settings.json").read_bytes())
        assert written == settled.model_copy(update={"python": found})
