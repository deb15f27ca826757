"""What a person does with a run: begins it, answers its gates, and goes on with it when it was interrupted."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bus.connect import connect
from contracts.ledger import RUNS_STREAM
from contracts.run import Event, RunStartedEvent
from orchestrator import gates
from orchestrator.runs import Shown, state_of
from tests.cli.conftest import Podium
from tests.survival.scenes import TEST, Scene

What = Literal["begin", "answer", "go on"]


@dataclass(frozen=True)
class Command:
    """What is run, and what for."""

    what: What
    argv: tuple[str, ...]


@dataclass(frozen=True)
class User:
    """Somebody with a bug in `repo`."""

    podium: Podium
    scene: Scene
    repo: Path

    def begin(self) -> Command:
        """The first thing they do."""
        if self.scene.by_host:
            host = (sys.executable, "-m", "tests.survival.host", str(self.repo))
            return Command("begin", (*host, *self.podium.command("mcp")))
        of = ("run", "fix-bug", "--repo", str(self.repo), "--test", TEST, "--json", "--consent-weak")
        return self._podium("begin", *of, *self.scene.words)

    def then(self, shown: Shown | None) -> Command | None:
        """What they do when a command has ended and this is what stands; None: nothing is left to do."""
        if shown is None:
            return self.begin()
        state = shown.state
        if state.ended and state.status != "handed_over":
            return None
        if shown.gate is not None:
            return self._podium("answer", "approve", state.run, *self._edit(shown.gate.gate))
        return self._podium("go on", "resume", state.run, "--json")

    def _podium(self, what: What, *words: str) -> Command:
        return Command(what, tuple(self.podium.command(*words)))

    def _edit(self, gate: str) -> tuple[str, ...]:
        if gate not in self.scene.edits:
            return ()
        file = self.repo.with_suffix(".diff")
        file.write_text(self.scene.edits[gate])
        return ("--diff", str(file))


async def look(state: Path, url: str, repo: Path) -> Shown | None:
    """The run of this checkout and what it waits for, straight from the ledger; None where none was begun."""
    async with connect(state, url, "auditor") as bus:
        run = ""
        async for kept in bus.history(RUNS_STREAM, "run.*.started"):
            started = Event.model_validate_json(kept.body).what
            if isinstance(started, RunStartedEvent) and started.task.repo == str(repo):
                run = started.task.run
        if not run:
            return None
        found = await state_of(bus, run)
        return Shown(state=found, gate=await gates.pending(bus, found))
