"""The real repository and test runner, called directly: no bus, but a real sandbox."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bus.lives import FIRST
from contracts.base import Model
from contracts.code_writer import ProposeParams, ProposeResult
from contracts.test_runner import RunParams, RunResult
from servers.code_writer import CodeWriter
from servers.repository import Repository
from servers.sandbox.client import KeptSandbox, start_keeper
from servers.sandbox.order import Policy
from servers.specialist import Call, Crew, Room, Sandbox, Specialist, tools_of
from servers.test_runner import TestRunner

R = TypeVar("R", bound=Model)
RUN = "r-search"


class QuietCall:
    """A call nobody watches."""

    id = "0" * 32
    caller = "code_writer"
    life = FIRST

    async def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Progress goes nowhere."""


class Nobody:
    """The crew of a specialist that may call nobody."""

    async def call(self, tool: str, params: Model, result: type[R], *, parent: Call) -> R:
        raise AssertionError(f"{tool} was not granted")


@dataclass(frozen=True)
class Direct:
    """Calls the tools of specialists in this process, by their published names."""

    specialists: Mapping[str, Specialist]

    async def call(self, tool: str, params: Model, result: type[R], *, parent: Call) -> R:
        server, _, name = tool.partition(".")
        handler = next(each.handler for each in tools_of(self.specialists[server]) if each.spec.name == name)
        answer = await handler(type(params).model_validate_json(params.model_dump_json()), parent)
        assert isinstance(answer, result)
        return answer


@dataclass(frozen=True)
class Together:
    """A crew over one folder; `tree` is the run's tree."""

    tree: Path
    crew: Crew
    writer: CodeWriter
    sandbox: Sandbox

    def write(self, files: Mapping[str, str]) -> None:
        """Make the tree hold exactly these files, line ends as they are."""
        shutil.rmtree(self.tree)
        for name, text in files.items():
            path = self.tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())

    async def tests(self, diff: str = "") -> RunResult:
        """Run the suite, with a diff if one is given."""
        return await self.crew.call("test_runner.run", RunParams(run=RUN, diff=diff), RunResult, parent=QuietCall())

    async def propose(self, failing: tuple[str, ...], budget_s: float = 60) -> ProposeResult:
        """Ask for a repair."""
        params = ProposeParams(run=RUN, request="a test fails", failing=failing, budget_s=budget_s)
        return await self.writer.propose(params, QuietCall())


@asynccontextmanager
async def together() -> AsyncGenerator[Together]:
    """A crew with a started sandbox, and a folder that is gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="search-")).resolve()
    home.chmod(0o755)
    try:
        work, scratch = home / "work", home / "scratch"
        tree = work / RUN / "tree"
        tree.mkdir(parents=True)
        scratch.mkdir()
        policy = Policy(scratch_root=scratch, read_only=(work,), read_anywhere=True)
        async with KeptSandbox(start_keeper(policy)) as sandbox:
            room = Room(work=work, scratch=scratch, crew=Nobody(), sandbox=sandbox)
            crew = Direct({"repository": Repository(room), "test_runner": TestRunner(room)})
            writer = CodeWriter(Room(work=work, scratch=scratch, crew=crew, sandbox=sandbox))
            yield Together(tree, crew, writer, sandbox)
    finally:
        shutil.rmtree(home)
