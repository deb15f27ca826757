"""code_writer: proposes patches that make failing tests pass. It holds no files and runs nothing.

It reads through `repository` and has its candidates tried by `test_runner`, in the sandbox.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

from contracts.code_writer import ProposeParams, ProposeResult
from contracts.manifest import Manifest
from servers.search.engine import SearchEngine
from servers.specialist import Call, Room, tool


class Engine(Protocol):
    """A way to come by patches: searching for them, or asking a model."""

    async def propose(self, params: ProposeParams, call: Call) -> ProposeResult:
        """Proposals, best first; none is an answer too."""
        ...


class CodeWriter:
    """Answers `propose` with its engine."""

    manifest: ClassVar[Manifest] = Manifest(
        name="code_writer",
        title="Code writer",
        description="Proposes small patches that make failing tests pass, with the evidence for each.",
        calls=("repository.read", "test_runner.coverage", "test_runner.try_patches"),
    )

    def __init__(self, room: Room) -> None:
        self._engine: Engine = SearchEngine(room.crew)

    @tool(read_only=True)
    async def propose(self, params: ProposeParams, call: Call) -> ProposeResult:
        """Propose patches that make the failing tests pass without making another test worse.

        Patches are plausible by the tests, never more; each comes with the tests that run its lines and
        how many observed calls answer differently. Nothing is written.
        """
        return await self._engine.propose(params, call)
