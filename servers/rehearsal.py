"""An agent tried without a bus: its tools are called in the test's own process, and others' answers are given.

::

    stage = Rehearsal(DocWriter, answers={"repository.list": lambda params: ListResult(...)})
    result = await stage.call("write", WriteParams(...), WriteResult)
    assert stage.asked == ["repository.list"]
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from bus.lives import FIRST
from contracts.base import Model
from servers.sandbox.job import Finished, Job, OnLine, SandboxUnavailable
from servers.specialist import Call, Room, Specialist, ToolError, tools_of

R = TypeVar("R", bound=Model)

Answers = Mapping[str, Callable[[Any], Model]]
"""What other members answer: `server.tool` to a function of the parameters, which may raise `ToolError`."""


class Rehearsal:
    """One agent on a stage of its own."""

    def __init__(self, agent: Callable[[Room], Specialist], answers: Answers | None = None) -> None:
        self.asked: list[str] = []
        """The tools of others that it has called, in order."""
        self._answers = dict(answers or {})
        work = Path(tempfile.gettempdir())
        self.agent = agent(Room(work, work, self, self))
        self._tools = {one.spec.name: one for one in tools_of(self.agent)}

    async def call(self, tool: str, params: Model, result: type[R], *, parent: Call | None = None) -> R:
        """Call one of the agent's tools, or, as the agent does with a `parent`, another member's `server.tool`.

        Raises:
            ToolError: the tool's failure; `denied`, where the manifest does not name what the agent calls.
        """
        if parent is None:
            answer = await self._tools[tool].handler(params, _Call())
        else:
            answer = self._answer(tool, params)
        assert isinstance(answer, result), f"{tool} answered {type(answer).__name__}, expected {result.__name__}"
        return answer

    def _answer(self, tool: str, params: Model) -> Model:
        self.asked.append(tool)
        if tool not in self.agent.manifest.calls:
            raise ToolError("denied", f"the manifest does not name {tool}", way_out="Add it to `calls`.")
        if tool not in self._answers:
            raise ToolError("not_found", f"the test gives no answer for {tool}")
        return self._answers[tool](params)

    async def run(self, job: Job, on_line: OnLine | None = None) -> Finished:
        """See `servers.specialist.Sandbox`: a rehearsal has none."""
        raise SandboxUnavailable("there is no sandbox in a rehearsal")


class _Call:
    """A call that nobody else made."""

    id = "0" * 32
    caller = "rehearsal"
    life = FIRST

    async def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Nobody listens."""
