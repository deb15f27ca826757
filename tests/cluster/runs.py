"""Whole runs of Podium on a cluster that somebody else runs, while its nodes are killed and cut off."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from bus.connect import connect
from contracts.ledger import server_stream
from tests.cli.conftest import Podium, make_project
from tests.cluster.hosts import Host, Hosts, hosts
from tests.cluster.rig import leader_of
from tests.e2e.rig import calls_of, fixing, going, run_of, tree_of

_KILLED_AT = "● See the test fail"
_CUT_AT = "● Run the whole suite"


class Attached(Podium):
    """`podium` as somebody calls it whose brokers are these."""

    def __init__(self, state: Path, url: str = "") -> None:
        super().__init__(state)
        self.url = url

    def environment(self) -> dict[str, str]:
        """With their addresses."""
        return super().environment() | ({"PODIUM_NATS_URL": self.url} if self.url else {})


@contextmanager
def attached(folder: Path) -> Generator[tuple[Attached, Hosts]]:
    """A crew that is up on a cluster with the users that `podium broker-config` prints."""
    podium = Attached(folder / "state")
    with hosts(folder / "hosts", podium("broker-config").document) as found:
        podium.url = found.url
        up = podium("up")
        assert up.code == 0, up.err
        try:
            yield podium, found
        finally:
            podium("down")


@dataclass(frozen=True)
class Outcome:
    """How one run went while its cluster was hurt."""

    code: int
    same_tree: bool
    """Whether what it handed over is what an undisturbed run hands over."""
    calls: int
    doubled: int
    """Calls of one step that were made twice."""
    unanswered: int
    seconds: float
    said: str


def hurt_run(podium: Attached, found: Hosts, tree: str, folder: Path) -> Outcome:
    """Fix a bug while the leader of the tests' stream is killed, and a node cut off as two steps go in parallel."""
    project = make_project(folder)
    began = time.monotonic()
    with going(podium, *fixing(project, "--auto", "all")) as process:
        process.until(_KILLED_AT)
        killed = _leader(podium, found, "test_runner")
        killed.kill()
        process.until(_CUT_AT)
        killed.start()
        cut = _leader(podium, found, "static_analyzer")
        cut.cut()
        done = process.end()
        cut.heal()
    run = run_of(podium)
    made = calls_of(podium, run)
    steps = Counter(call["step"] for call in made if call["caller"] == "orchestrator")
    return Outcome(
        code=done.code,
        same_tree=done.code == 0 and tree_of(project, run) == tree,
        calls=len(made),
        doubled=sum(steps.values()) - len(steps),
        unanswered=sum(call["outcome"] == "open" for call in made),
        seconds=time.monotonic() - began,
        said=done.err[-2000:],
    )


def undisturbed(podium: Attached, folder: Path) -> str:
    """The tree that the same run hands over when nothing happens."""
    project = make_project(folder)
    done = podium(*fixing(project, "--auto", "all"))
    assert done.code == 0, done.err
    return tree_of(project, run_of(podium))


def _leader(podium: Attached, found: Hosts, server: str) -> Host:
    async def ask() -> str:
        async with connect(podium.state, podium.url, "auditor") as bus:
            return await leader_of(bus, server_stream(server))

    return found.named(anyio.run(ask))
