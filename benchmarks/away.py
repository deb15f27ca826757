"""What it costs to work away: from a call to the tree it is about, the first time, with nothing changed, and after a
change.

    python -m benchmarks.away [--files 2000]

A repository of so many files of about 6 KB, the workspace behind a real broker, mirrors on the other side. All is on
this machine, so that the way between two is to be added: the pack, in base64, once to the broker and once from it.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import anyio

from bus.caller import open_caller
from bus.granted import LiveGrants
from contracts import diff
from contracts.workspace import ApplyParams, OpenParams, RevertParams
from servers.answering import BusCall
from servers.away.mirrors import Mirrors
from servers.confine import Held
from servers.crew import CREW_FILE, read_crew
from servers.runtime import BusCrew, serve
from servers.workspace import Workspace
from tests.bus.rigs import nats_rig
from tests.git_project import RUN, FakeCall, Project, bring_in

TIMES = 5


def source(lot: random.Random) -> str:
    """Text that packs about as well as source does."""
    names = [f"name_{lot.randrange(500)}" for _ in range(30)]
    words = ["self", "return", "value", "if", "for", "in", "not", "None", *names]
    return "".join(f"    {' '.join(lot.choices(words, k=lot.randint(3, 9)))}\n" for _ in range(130))


async def measure(folder: Path, files: int) -> dict[str, tuple[float, int]]:
    """(Seconds, median; bytes of the pack) of each kind of call."""
    lot = random.Random(1)
    project = Project(folder / "theirs")
    texts = {f"package_{n // 40}/module_{n}.py": source(lot) for n in range(files)}
    project.commit(texts)
    room, brought = bring_in(project, folder / "home")
    workspace = Workspace(room)
    await workspace.open(OpenParams(run=RUN, base=brought.base), FakeCall())
    found: dict[str, list[tuple[float, int]]] = {"first": [], "unchanged": [], "one file changed": []}
    async with (
        nats_rig(folder / "state", read_crew(CREW_FILE).grants()) as nats,
        nats.connect("workspace") as home,
        nats.connect("test_runner") as bus,
        open_caller(bus) as caller,
        anyio.create_task_group() as tasks,
    ):
        ready = anyio.Event()

        async def be_home() -> None:
            await serve(
                home,
                workspace,
                LiveGrants(home).allows,
                granted_scopes=(),
                granted_calls=(),
                held=Held(""),
                sandbox="",
                ready=ready.set,
            )

        tasks.start_soon(be_home)
        await ready.wait()
        for turn in range(TIMES):
            away = Mirrors(folder / f"away-{turn}", BusCrew(caller))

            async def take(kind: str, away: Mirrors = away, at: Path = folder / f"away-{turn}") -> None:
                before, began = _packed(at), time.perf_counter()
                async with away.now(RUN, BusCall.local(_nobody_listens)):
                    found[kind].append((time.perf_counter() - began, _packed(at) - before))

            await take("first")
            await take("unchanged")
            path, old = next(iter(texts.items()))
            changed = diff.make(path, old, f"{old}# {turn}\n")
            await workspace.apply(ApplyParams(run=RUN, diff=changed, expected_head=brought.base), FakeCall())
            await take("one file changed")
            await workspace.revert(RevertParams(run=RUN, commit=brought.base), FakeCall())
        tasks.cancel_scope.cancel()
    return {
        kind: (statistics.median(seconds for seconds, _ in each), max(size for _, size in each))
        for kind, each in found.items()
    }


async def _nobody_listens(done: float, total: float | None, message: str) -> None:
    pass


def _packed(away: Path) -> int:
    return sum(pack.stat().st_size for pack in away.glob("objects.git/objects/pack/*.pack"))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.away", description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    files = parser.parse_args().files
    with tempfile.TemporaryDirectory(prefix="podium-away-") as folder:
        found = anyio.run(measure, Path(folder), files, backend_options={"use_uvloop": True})
    sys.stdout.write(f"{f'{files} files':<20}{'ms':>8}{'pack KB':>10}\n")
    for kind, (seconds, size) in found.items():
        sys.stdout.write(f"{kind:<20}{seconds * 1000:>8.0f}{size / 1000:>10.1f}\n")


if __name__ == "__main__":
    main()
