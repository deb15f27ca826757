"""Small real projects, and a test runner over them in the real sandbox."""

from __future__ import annotations

import textwrap
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from bus.lives import FIRST, Life
from contracts import diff
from contracts.base import Model
from contracts.run_settings import RunSettings
from contracts.test_runner import Candidate, TryPatchesParams, TryPatchesResult
from servers.specialist import Call, Room, Sandbox, ToolError
from servers.test_runner import TestRunner

R = TypeVar("R", bound=Model)
RUN = "r-abcd"


class Alone:
    """A crew of nobody: the test runner calls no one."""

    async def call(self, tool: str, params: Model, result: type[R], *, parent: Call) -> R:
        raise ToolError("not_found", tool)


@dataclass
class Asked:
    """A call that remembers its progress."""

    id: str = "0" * 32
    caller: str = "tests"
    life: Life = FIRST
    said: list[str] = field(default_factory=list[str])

    async def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        self.said.append(message)


@dataclass(frozen=True)
class Project:
    """A run's tree and the runner that works on it."""

    base: Path
    sandbox: Sandbox

    @property
    def tree(self) -> Path:
        return self.base / "work" / RUN / "tree"

    @property
    def scratch(self) -> Path:
        return self.base / "scratch"

    @property
    def runner(self) -> TestRunner:
        return TestRunner(Room(self.base / "work", self.scratch, Alone(), self.sandbox))

    def write(self, **files: str) -> None:
        """Keywords are paths with `__` for `/` and `_py` for `.py`."""
        for name, text in files.items():
            self.file(name.replace("__", "/").removesuffix("_py") + ".py", text)

    def file(self, name: str, text: str) -> None:
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), newline="")

    def settle(self, settings: RunSettings) -> None:
        """What intake wrote down."""
        (self.tree.parent / "settings.json").write_text(settings.model_dump_json())

    def change(self, path: str, *edits: tuple[str, str]) -> str:
        """The diff that replaces each first text by the second, once."""
        old = new = (self.tree / path).read_text()
        for before, after in edits:
            assert before in new
            new = new.replace(before, after, 1)
        return diff.make(path, old, new)

    async def try_(
        self, failing: str, candidates: Mapping[str, str], *, budget_s: float = 120, enough: int = 50
    ) -> TryPatchesResult:
        """Try diffs by name."""
        params = TryPatchesParams(
            run=RUN,
            failing=(failing,),
            candidates=tuple(Candidate(id=name, diff=text) for name, text in candidates.items()),
            budget_s=budget_s,
            enough=enough,
        )
        return await self.runner.try_patches(params, Asked())

    @contextmanager
    def untouched(self) -> Generator[None]:
        """The tree is the same afterwards, and no scratch is left."""
        before = self.snapshot()
        yield
        assert self.snapshot() == before
        assert list(self.scratch.iterdir()) == []

    def snapshot(self) -> dict[str, bytes]:
        files = [path for path in self.tree.rglob("*") if path.is_file() and not path.is_symlink()]
        return {str(path): path.read_bytes() for path in files}
