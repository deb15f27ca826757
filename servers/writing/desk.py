"""What a writer looks up for one call: files, similar code, results of tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from contracts.file_names import name_problem
from contracts.repository import SimilarParams, SimilarResult
from contracts.test_runner import RunParams, RunResult
from servers.search.files import Files
from servers.search.source import Unreadable
from servers.specialist import Call, Crew, ToolError
from servers.writing.page import cut

ALIKE = 0.15
SIMILAR = 3
SIMILAR_CHARS = 4_000


@dataclass
class Desk:
    """One run's tree, as one call sees it."""

    crew: Crew
    call: Call
    run: str
    _files: Files = field(init=False)

    def __post_init__(self) -> None:
        self._files = Files(self.crew, self.run, self.call)

    async def text(self, path: str) -> str | None:
        """A whole file; None where there is none.

        Raises:
            ToolError: limit, when it is too large; or what `repository.read` says.
        """
        try:
            return await self._files.text(path)
        except Unreadable as error:
            raise ToolError("limit", f"{path} has {error}") from error
        except ToolError as error:
            if error.failure.kind == "not_found":
                return None
            raise

    async def reads(self, paths: Iterable[str]) -> list[tuple[str, str]]:
        """Files to show along; one that cannot be read says why."""
        shown = list[tuple[str, str]]()
        for path in dict.fromkeys(paths):
            try:
                text = await self.text(path)
            except ToolError as error:
                text = f"(cannot be shown: {error.failure.message})"
            shown.append((path, "(there is no such file)" if text is None else text))
        return shown

    async def similar(self, like: str, glob: str, known: Iterable[str]) -> list[tuple[str, str]]:
        """Definitions of the project like `like`, those of `known` files left out; none where none can be had."""
        params = SimilarParams(run=self.run, like=like[:20_000], glob=glob, limit=2 * SIMILAR)
        try:
            answer = await self.crew.call("repository.similar", params, SimilarResult, parent=self.call)
        except ToolError:
            return []  # an aid only: without it the work is done all the same
        shown = [each for each in answer.found if each.score >= ALIKE and each.path not in known]
        return [(f"{each.path}: {each.name}", cut(each.text, SIMILAR_CHARS)) for each in shown[:SIMILAR]]

    async def tests(self, tests: tuple[str, ...], diff: str = "") -> RunResult:
        """Run tests, on a copy with `diff` applied."""
        params = RunParams(run=self.run, tests=tests, diff=diff)
        return await self.crew.call("test_runner.run", params, RunResult, parent=self.call)


def checked(path: str) -> str:
    """The path of a file that may be written, as far as its name tells.

    Raises:
        ToolError: invalid, when it may not.
    """
    if wrong := name_problem(path):
        raise ToolError("invalid", wrong)
    return path
