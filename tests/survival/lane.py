"""A lane: one house, one model, one cell after the other; told what to do on stdin, it answers on stdout.

    python -m tests.survival.lane FOLDER

Each lane is a process of its own, so that whatever detaches itself from Podium becomes its child and is found.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import anyio

from orchestrator.runs import Shown
from tests.cli.conftest import ROOT, Podium
from tests.e2e.endpoint import Endpoint, endpoint, rules
from tests.e2e.rig import adopting, waited_for
from tests.git_project import Project
from tests.survival import evidence
from tests.survival.cells import ITSELF, ORCHESTRATOR, PERSON, Cell, Found, Kill
from tests.survival.control import Control, Held, Order
from tests.survival.evidence import Evidence
from tests.survival.processes import Household
from tests.survival.scenes import RIGHT, SCENES, plant
from tests.survival.user import Command, User, look

LIMIT_S = 120.0
"""For one command; what takes longer hangs."""
MOST_COMMANDS = 12
_CLOSING = Order("close.before_remove", "workspace", None, "hold")


class Armed(Podium):
    """`podium` started by the harness."""

    def __init__(self, state: Path, control: Control, model: Endpoint) -> None:
        super().__init__(state)
        self._env = {**model.env, **control.env}

    def environment(self) -> dict[str, str]:
        """See `Podium.environment`."""
        return {**super().environment(), **self._env}


@dataclass
class Trial:
    """A cell under way."""

    cell: Cell
    project: Project
    begun_at: float = field(default_factory=time.monotonic)
    exits: list[int] = field(default_factory=list[int])
    to_come: list[Kill] = field(default_factory=list[Kill])
    missed: list[Kill] = field(default_factory=list[Kill])
    """Of whom was not there at the moment."""
    closing: Evidence = field(default_factory=dict[str, object])

    @property
    def next_at(self) -> float:
        """When the next kill by the clock is due."""
        return min((self.begun_at + kill.after_s for kill in self.to_come if not kill.point), default=float("inf"))


class Lane:
    """Runs cells in one state directory."""

    def __init__(
        self, folder: Path, model: Endpoint, podium: Callable[[Path, Control, Endpoint], Podium] = Armed
    ) -> None:
        self._folder = folder
        self._model = model
        self._number = 0
        self._state = folder / "state"
        self._control = Control(folder / "control")
        self._podium = podium(self._state, self._control, model)
        self._house = Household(self._podium, self._control)

    def run(self, cell: Cell) -> Found:
        """Have one cell happen, and see what came of it."""
        self._number += 1
        project = plant(self._folder / f"project-{self._number}")
        before, asked = project.snapshot(), len(self._model.requests())
        if cell.cold:
            self._house.down()
        else:
            self._house.up()
        self._control.order([*_orders(cell), _CLOSING])
        trial = Trial(cell, project, to_come=[kill for kill in cell.kills if not _by_itself(kill)])
        problem = self._conduct(trial)
        alive = [kill for kill in cell.kills if _by_itself(kill) and not self._passed(kill)]
        found = Found(
            cell=cell,
            exits=trial.exits,
            problem=problem,
            seconds=time.monotonic() - trial.begun_at,
            passages=[(point, process, n) for (point, process), n in self._control.passages().items()],
            missed=[*trial.to_come, *trial.missed, *alive],
        )
        self._house.up()
        busy = self._house.settle()
        found.evidence = {"requests to the model": len(self._model.requests()) - asked, **trial.closing}
        if not problem:
            found.evidence |= self._evidence(project)
        found.evidence["the checkout"] = "as it was" if project.snapshot() == before else "changed"
        found.evidence["left behind"] = [*busy, *self._house.left()]
        shutil.rmtree(project.root)
        return found

    def close(self) -> list[str]:
        """End the house; what is left of it, and what is wrong with the ledger of all cells."""
        self._house.up()
        verified = self._podium("audit", "verify")
        self._house.down()
        return [*self._house.left(), *([] if verified.code == 0 else [f"a ledger that does not verify: {verified}"])]

    def _evidence(self, project: Project) -> Evidence:
        shown = self._look(project)
        assert shown is not None
        run = shown.state.run
        return {
            **evidence.of_branch(project, run),
            **evidence.of_bundle(self._state / "bundles" / run, run, project.root),
            **anyio.run(evidence.of_ledger, self._state, self._house.url, run),
        }

    def _look(self, project: Project) -> Shown | None:
        return anyio.run(look, self._state, self._house.url, project.root)

    def _conduct(self, trial: Trial) -> str:
        """Be the person until the branch is handed over; else what went wrong."""
        user = User(self._podium, SCENES[trial.cell.scene], trial.project.root)
        command = user.begin()
        while True:
            code, said = self._have(command, trial)
            trial.exits.append(code)
            if code == 0 and command.what != "answer":
                return ""
            if len(trial.exits) == MOST_COMMANDS:
                return f"no end after {MOST_COMMANDS} commands: {said}"
            self._house.up()
            following = user.then(self._look(trial.project))
            if following is None:
                return f"it ended otherwise: {said}"
            command = following

    def _have(self, command: Command, trial: Trial) -> tuple[int, str]:
        """Have a command run, with whatever is to die meanwhile; its exit status and last words."""
        log = self._folder / "said"
        with log.open("wb") as said:
            process = subprocess.Popen(
                command.argv,
                cwd=ROOT,
                env=self._podium.environment(),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        waited_for.add(process.pid)
        ended = os.pidfd_open(process.pid)
        give_up_at = time.monotonic() + LIMIT_S
        try:
            while True:
                wait = max(0.0, min(trial.next_at, give_up_at) - time.monotonic())
                ready, _, _ = select.select([self._control.told, ended], [], [], wait)
                if self._control.told in ready:
                    for held in self._control.held():
                        self._at(held, trial, process)
                elif ended in ready:
                    return process.wait(), log.read_text(errors="replace")[-600:]
                elif time.monotonic() >= give_up_at:
                    process.kill()
                    return process.wait(), f"{' '.join(command.argv[3:5])} hung for {LIMIT_S:.0f} s"
                for kill in [kill for kill in trial.to_come if not kill.point]:
                    if trial.begun_at + kill.after_s <= time.monotonic():
                        self._kill(kill, trial, process)
        finally:
            os.close(ended)
            waited_for.discard(process.pid)

    def _at(self, held: Held, trial: Trial, process: subprocess.Popen[bytes]) -> None:
        """Somebody stands at a point: look, kill who is to die now, and let who is still there go on."""
        if (held.point, held.process) == (_CLOSING.point, _CLOSING.process):
            newest = max((self._state / "work").iterdir(), key=lambda folder: folder.stat().st_ctime)
            trial.closing = evidence.of_worktree(newest)
        killed = {process.pid} if process.poll() is not None else set[int]()
        for kill in list(trial.to_come):
            if (kill.point, kill.process, kill.nth) == (held.point, held.process, held.nth):
                killed |= self._kill(kill, trial, process)
        if self._house.outlives(held.pid, killed):
            self._control.go()

    def _kill(self, kill: Kill, trial: Trial, process: subprocess.Popen[bytes]) -> set[int]:
        trial.to_come.remove(kill)
        itself = kill.victim in (ORCHESTRATOR, PERSON) and not SCENES[trial.cell.scene].by_host
        if itself or self._house.pid(kill.victim) == process.pid:
            process.kill()
            process.wait()
            return {process.pid}
        gone = self._house.kill(kill.victim, of=kill.process)
        if not gone:
            trial.missed.append(kill)
        return gone

    def _passed(self, kill: Kill) -> bool:
        return self._control.passages()[kill.point, kill.process] >= kill.nth


def _by_itself(kill: Kill) -> bool:
    return kill.victim == ITSELF


def _orders(cell: Cell) -> list[Order]:
    return [
        Order(kill.point, kill.process, kill.nth, "die" if _by_itself(kill) else "hold")
        for kill in cell.kills
        if kill.point
    ]


def main() -> None:
    """Take cells, one a line, until there are no more; the last line says what is left in the end."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    tell = partial(print, flush=True)
    with adopting(), endpoint(folder, rules(change=[{"reply": RIGHT}])) as model:
        lane = Lane(folder, model)
        for line in sys.stdin:
            tell(lane.run(Cell.model_validate_json(line)).model_dump_json())
        tell(Found(cell=Cell(scene=""), evidence={"left behind": lane.close()}).model_dump_json())


if __name__ == "__main__":
    main()
