"""code_writer: proposes patches that make failing tests pass, and writes single files as it is told.

It holds no files and runs nothing: it reads through `repository`, asks `model`, and has what it writes tried by
`test_runner`, in the sandbox.
"""

from __future__ import annotations

from typing import ClassVar

from contracts.code_writer import ProposeParams, ProposeResult, WriteParams, WriteResult
from contracts.manifest import Manifest
from contracts.task import Engine as EngineName
from servers.search.engine import SearchEngine
from servers.specialist import Call, Room, tool
from servers.writing.auto import AutoEngine, Engine
from servers.writing.engine import ModelEngine
from servers.writing.one_file import FileWriter


class CodeWriter:
    """Answers `propose` with the engine asked for, and `write`."""

    manifest: ClassVar[Manifest] = Manifest(
        name="code_writer",
        title="Code writer",
        description="Proposes patches that make failing tests pass, with the evidence for each; writes single files.",
        calls=(
            "repository.read",
            "repository.similar",
            "test_runner.coverage",
            "test_runner.try_patches",
            "test_runner.run",
            "model.complete",
            "model.describe",
        ),
    )

    def __init__(self, room: Room) -> None:
        search, model = SearchEngine(room.crew), ModelEngine(room.crew)
        self._engines: dict[EngineName, Engine] = {
            "search": search,
            "model": model,
            "auto": AutoEngine(room.crew, search, model),
        }
        self._files = FileWriter(room.crew)

    @tool(read_only=True)
    async def propose(self, params: ProposeParams, call: Call) -> ProposeResult:
        """Propose patches that make the failing tests pass without making another test worse.

        Patches are plausible by the tests, never more; each comes with the tests that run its lines and
        how many observed calls answer differently. Nothing is written.
        """
        return await self._engines[params.engine].propose(params, call)

    @tool(read_only=True)
    async def write(self, params: WriteParams, call: Call) -> WriteResult:
        """Have a model change or create one file as an instruction says.

        The patch is computed against the file as it is. Of several versions the tests choose, then smallness.
        Nothing is written.
        """
        return await self._files.write(params, call)
