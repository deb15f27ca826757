"""A lane in which clocks are set instead of processes killed."""

from __future__ import annotations

import os
import select
import stat
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.conftest import Done
from tests.clocks.settable import AHEAD_ENV, DAY_S, ENV, FORWARD
from tests.e2e.endpoint import Endpoint, endpoint, rules
from tests.e2e.rig import adopting
from tests.survival.cells import ORCHESTRATOR, Cell, Found, Kill
from tests.survival.control import Control
from tests.survival.lane import Armed, Lane, Trial
from tests.survival.scenes import RIGHT, SCENES

EVERYBODY = "everybody"
"""All but the broker: as a machine whose clock is set, beside a broker elsewhere."""
SAID = "clock was set by"
_SET_S = 10.0


class Jump(Kill):
    """`victim`'s clock is set by a day, forward or back, while `process` stands at the point."""

    signum: int

    def __str__(self) -> str:
        return (
            f"{self.point} {self.process} {self.nth} → {self.victim} a day {'on' if self.signum == FORWARD else 'back'}"
        )


class Settable(Armed):
    """`podium` by clocks that can be set."""

    def __init__(self, state: Path, control: Control, model: Endpoint) -> None:
        super().__init__(state, control, model)
        self._pipe = state.parent / "clock-set"
        os.mkfifo(self._pipe)
        self._told = os.open(self._pipe, os.O_RDWR | os.O_CLOEXEC)
        python = self._pipe.with_name("python")
        python.write_text(
            '#!/bin/sh\nwhile [ "$1" != -m ]; do shift; done; shift\n'
            f'exec {sys.executable} -m tests.clocks.settable "$@"\n'
        )
        python.chmod(stat.S_IRWXU)

    def command(self, *args: str) -> list[str]:
        """See `Podium.command`."""
        return [sys.executable, "-m", "tests.clocks.settable", "orchestrator.cli.main", *args]

    def environment(self) -> dict[str, str]:
        """See `Podium.environment`."""
        return {**super().environment(), ENV: str(self._pipe)}

    def set_clock(self, pid: int, signum: int) -> None:
        """Set the clock of a process of these; returns when it goes by that."""
        os.kill(pid, signum)
        ready, _, _ = select.select([self._told], [], [], _SET_S)
        assert ready, f"process {pid} did not set its clock"
        os.read(self._told, 1)


class ClockLane(Lane):
    """Each cell in a house of its own, as its clocks are wrong afterwards."""

    def __init__(self, folder: Path, model: Endpoint) -> None:
        super().__init__(folder, model, Settable)

    def run(self, cell: Cell) -> Found:
        """See `Lane.run`. A run whose own clock was set must have said so, where its words can be heard."""
        self._house.down()
        found = super().run(cell)
        said = (self._folder / "said").read_text(errors="replace")
        jumped = {kill.victim for kill in cell.kills} & {ORCHESTRATOR, EVERYBODY}
        if jumped and len(found.exits) == 1 and not SCENES[cell.scene].by_host and SAID not in said:
            found.problem = found.problem or f"nobody was told that the clock was set: {said}"
        return found

    def tomorrow(self, *words: str) -> Done:
        """`podium`, by the clock of a machine that is a day ahead of the broker; the last cell's house is up."""
        return self._podium(*words, env={AHEAD_ENV: str(DAY_S)})

    def _kill(self, kill: Kill, trial: Trial, process: subprocess.Popen[bytes]) -> set[int]:
        assert isinstance(kill, Jump)
        assert isinstance(self._podium, Settable)
        trial.to_come.remove(kill)
        alive = {name: self._house.pid(name) for name in self._control.processes()}
        for name in sorted(alive) if kill.victim == EVERYBODY else [kill.victim]:
            if (pid := alive[name]) is not None:
                self._podium.set_clock(pid, kill.signum)
        return set()


@contextmanager
def clock_lane(folder: Path) -> Generator[ClockLane]:
    """A lane below `folder`, whose orphans this process adopts."""
    with adopting(), endpoint(folder, rules(change=[{"reply": RIGHT}])) as model:
        lane = ClockLane(folder / "lane", model)
        try:
            yield lane
        finally:
            lane.close()
