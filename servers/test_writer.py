"""test_writer: writes tests, has them run, and never weakens one that is there. It holds no files and runs nothing.

It reads through `repository`, asks `model`, and has what it writes run by `test_runner`, in the sandbox.
"""

from __future__ import annotations

from typing import ClassVar

from contracts.manifest import Manifest
from contracts.test_writer import WriteTestsParams, WriteTestsResult
from servers.specialist import Call, Room, tool
from servers.writing.test_file import TestFileWriter


class TestWriter:
    """Answers `write`."""

    __test__ = False

    manifest: ClassVar[Manifest] = Manifest(
        name="test_writer",
        title="Test writer",
        description="Writes new or extended tests and runs them; existing assertions are never weakened.",
        calls=("repository.read", "repository.similar", "test_runner.run", "model.complete", "model.describe"),
    )

    def __init__(self, room: Room) -> None:
        self._files = TestFileWriter(room.crew)

    @tool(read_only=True)
    async def write(self, params: WriteTestsParams, call: Call) -> WriteTestsResult:
        """Have a model write tests in one file, and run them.

        For a bug or a feature they fail on the tree as it is, for existing behaviour they pass, twice. A change that
        removes or weakens anything of the file's old tests is never a result. Nothing is written.
        """
        return await self._files.write(params, call)
