"""The disk is full in the middle of a run: a clear stop, nothing that was acknowledged lost, and `resume` finishes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from bus.connect import connect
from bus.grants import OPERATOR
from bus.provision import ask_jetstream
from contracts.ledger import RUNS_STREAM
from servers.room import LEAST_FREE_BYTES
from tests.cli.conftest import Podium
from tests.e2e.rig import calls_of, files_left, fixing, going, run_of, survivors
from tests.git_project import Project
from tests.namespaces import SmallDisk, small_disk

ROOM_BYTES = 40 << 20


class OnSmallDisk(Podium):
    """Podium, its ledger on a disk of its own."""

    def __init__(self, state: Path, disk: SmallDisk) -> None:
        super().__init__(state)
        self._disk = disk

    def command(self, *args: str) -> list[str]:
        return self._disk.command(*super().command(*args))


class LimitedStore:
    """The same where no disk can be had: the stream of runs is given a limit."""

    def __init__(self, podium: Podium) -> None:
        self._podium = podium

    def fill(self) -> None:
        self._limit(1)

    def free(self) -> None:
        self._limit(-1)

    def _limit(self, size: int) -> None:
        async def run(url: str) -> None:
            async with connect(self._podium.state, url, OPERATOR) as bus:
                config = (await ask_jetstream(bus, f"STREAM.INFO.{RUNS_STREAM}", {}))["config"]
                told = await ask_jetstream(bus, f"STREAM.UPDATE.{RUNS_STREAM}", config | {"max_bytes": size})
                assert "error" not in told

        anyio.run(run, self._podium("status", "--json").document["house"]["url"])


Room = SmallDisk | LimitedStore


@pytest.fixture
def filled(request: pytest.FixtureRequest, tmp_path: Path, others: set[int]) -> Iterator[tuple[Podium, Room]]:
    """Podium, and what can be filled under it."""
    state = tmp_path / "state"
    (state / "broker").mkdir(parents=True)
    with small_disk(state / "broker", LEAST_FREE_BYTES + ROOM_BYTES) as disk:
        if request.param == "disk" and disk is not None:
            podium: Podium = OnSmallDisk(state, disk)
            yield podium, disk
        else:
            podium = Podium(state)
            assert podium("up").code == 0
            yield podium, LimitedStore(podium)
        podium("down")
    assert survivors(others) == {}


@pytest.mark.parametrize("filled", ["disk", "store"], indirect=True)
def test_a_full_disk_stops_a_run_clearly_and_resume_finishes_it(filled: tuple[Podium, Room], project: Project) -> None:
    """The message says what to do; until it is done so does every other command; then no call is made twice."""
    podium, room = filled
    before = project.snapshot()
    with going(podium, *fixing(project, "--auto", "all")) as process:
        process.until("✓ See the test fail")
        room.fill()
        stopped = process.end()

    assert stopped.code == 1
    assert "no room" in stopped.err or "takes no more" in stopped.err
    assert "Make room" in stopped.err
    assert "podium resume" in stopped.err
    assert "Traceback" not in stopped.err
    if isinstance(room, SmallDisk):
        refused = podium("resume", "last")
        assert refused.code == 1
        assert "Make room" in refused.err
    room.free()
    done = podium("resume", "last", "--json")

    assert done.code == 0, done.err
    made = Counter(call["step"] for call in calls_of(podium, run_of(podium)) if call["caller"] == "orchestrator")
    assert set(made.values()) == {1}
    assert project.snapshot() == before
    assert files_left(podium) == []
