"""Many small runs in one house: does anything grow?

    python -m benchmarks.soak [--runs 500] [--jobs 8] [--json]

Every run repairs a one-file bug with the search, all gates passed by policy, as `podium run` does, so many at a time.
Meanwhile each process of the house is looked at after every run: memory, file descriptors, threads. What counts is
the slope over the second half, when caches are warm, per hundred runs: of descriptors, and of memory (RSS). The
proportional one (PSS) is shown, but it moves when others who share the pages come and go. The broker keeps an index of
every message in memory, so that it may grow with the ledger, by so much a run.

Exits with 1 where something grows, a run does not end as it should, or the last quarter is slower than the first.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from orchestrator import intake
from orchestrator.cli.demo import AUTHOR

FLAT_KIB = 1024
"""What a process may gain in a hundred runs and still count as flat: noise of the allocator is of that order."""
BROKER_KIB = 8 * 1024
"""The same for the broker, which indexes some hundred messages of every run."""
NOISE_KIB = 1024
"""What a process may gain in all and still count as flat, however few the runs."""
FLAT_FILES, NOISE_FILES = 1.0, 2
SLOWER = 0.75
"""Share of the first quarter's throughput the last one must reach."""

FILES = {
    "shop.py": "def can_sell(wanted, pieces):\n    return wanted < pieces\n",
    "test_shop.py": "from shop import can_sell\n\n\ndef test_the_last_one():\n    assert can_sell(1, 1)\n\n\n"
    "def test_not_more_than_there_is():\n    assert not can_sell(2, 1)\n",
}
TEST = "test_shop.py::test_the_last_one"


@dataclass(frozen=True)
class Look:
    """One process at one moment."""

    rss_kib: int
    pss_kib: int
    files: int
    threads: int


@dataclass(frozen=True)
class Row:
    """One process over the whole soak; slopes are per hundred runs, over the second half."""

    process: str
    first: Look
    last: Look
    rss_slope_kib: float
    files_slope: float
    flat: bool


class House:
    """A house that is kept up, and its processes."""

    def __init__(self, folder: Path) -> None:
        self._podium = [sys.executable, "-m", "orchestrator.cli.main"]
        self._env = os.environ | {"PODIUM_STATE_DIR": str(folder / "state"), "PODIUM_CREW": str(folder / "crew.toml")}

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Call `podium`."""
        return subprocess.run([*self._podium, *args], env=self._env, capture_output=True, text=True, check=False)

    def processes(self) -> dict[int, str]:
        """Name by process id: the house, each member, the broker, keepers."""
        house = int(json.loads(self.run("status", "--json").stdout)["house"]["pid"])
        cards = json.loads(self.run("agents", "--json").stdout)
        members = {int(card["pid"]): str(card["manifest"]["name"]) for card in cards}
        found = {house: "house"}
        for pid, parent in sorted(_parents().items()):
            if parent == house:
                found[pid] = members.get(pid, "broker")
        for pid, parent in sorted(_parents().items()):
            if parent in members:
                found[pid] = f"{members[parent]}'s keeper"
        return found


def _parents() -> dict[int, int]:
    found: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):
                found[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    return found


def look(pid: int) -> Look:
    """What the kernel says of a process.

    Raises:
        OSError: it is gone.
    """
    folder = Path(f"/proc/{pid}")
    said = dict(line.split(":", 1) for line in (folder / "smaps_rollup").read_text().splitlines()[1:])
    return Look(
        rss_kib=int(said["Rss"].split()[0]),
        pss_kib=int(said["Pss"].split()[0]),
        files=len(list((folder / "fd").iterdir())),
        threads=len(list((folder / "task").iterdir())),
    )


def slope(values: Sequence[float]) -> float:
    """Gain per hundred steps over the second half, by least squares; 0 where there is too little to say."""
    half = values[len(values) // 2 :]
    return statistics.linear_regression(range(len(half)), half).slope * 100 if len(half) > 1 else 0.0


def rows(seen: Mapping[str, Sequence[Look]]) -> list[Row]:
    """Each process's way from the first look to the last."""
    made: list[Row] = []
    for name, looks in seen.items():
        rss, files = slope([each.rss_kib for each in looks]), slope([each.files for each in looks])
        limit = BROKER_KIB if name == "broker" else FLAT_KIB
        threads_kept = looks[-1].threads <= max(each.threads for each in looks[: len(looks) // 2 + 1])
        half = len(looks) // 2 / 100
        flat = (rss <= limit or rss * half <= NOISE_KIB) and (files <= FLAT_FILES or files * half <= NOISE_FILES)
        flat = flat and threads_kept
        made.append(Row(name, looks[0], looks[-1], round(rss), round(files, 2), flat))
    return made


@dataclass(frozen=True)
class Soaked:
    """What came of it. Throughput is in runs a minute."""

    rows: list[Row]
    failed: list[str]
    first_quarter: float
    last_quarter: float
    died: list[str]

    @property
    def holds(self) -> bool:
        """Whether nothing grew, nobody died, and every run was handed over, as fast at the end as at the beginning."""
        steady = self.last_quarter >= SLOWER * self.first_quarter
        return steady and not self.failed and not self.died and all(row.flat for row in self.rows)


def soak(runs: int, jobs: int) -> Soaked:
    """Carry out so many runs, so many at a time."""
    with tempfile.TemporaryDirectory(prefix="podium-soak-") as name:
        folder = Path(name)
        house, project = House(folder), _project(folder / "shop")
        fixing = ("run", "fix-bug", "--repo", str(project), "--test", TEST, "--engine", "search", "--consent-weak")
        up = house.run("up")
        assert up.returncode == 0, up.stderr
        seen, failed, ends = defaultdict[str, list[Look]](list), list[str](), list[float]()
        try:
            known = house.processes()

            def one(number: int) -> None:
                done = house.run(*fixing, "--auto", "all", "--json")
                ends.append(time.monotonic())
                if done.returncode:
                    failed.append(f"run {number}: exit code {done.returncode}: {done.stderr[-300:]}")
                for pid, process in known.items():
                    with suppress(OSError):
                        seen[process].append(look(pid))

            began = time.monotonic()
            with ThreadPoolExecutor(jobs) as pool:
                list(pool.map(one, range(runs)))
            died = [process for pid, process in known.items() if not Path(f"/proc/{pid}").exists()]
        finally:
            house.run("down")
            shutil.rmtree(project, ignore_errors=True)
    ends.sort()
    quarter = max(1, runs // 4)
    before_last = ends[-quarter - 1] if runs > quarter else began
    return Soaked(
        rows=rows(seen),
        failed=failed,
        first_quarter=round(60 * quarter / (ends[quarter - 1] - began), 1),
        last_quarter=round(60 * quarter / (ends[-1] - before_last), 1),
        died=died,
    )


def _project(root: Path) -> Path:
    root.mkdir()
    for name, text in FILES.items():
        (root / name).write_text(text)
    intake.run_git(root, "init", "--quiet", "--initial-branch=main")
    intake.run_git(root, "add", "--all")
    intake.run_git(root, *AUTHOR, "commit", "--quiet", "--message=A shop")
    return root


def main() -> None:
    """Print the table; the exit status says whether all is flat."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    soaked = soak(options.runs, options.jobs)
    if options.json:
        print(json.dumps(asdict(soaked) | {"holds": soaked.holds}, indent=1))
    else:
        print(
            f"{'process':24} {'PSS KiB':>16} {'RSS KiB':>16} {'per 100':>9} {'files':>11} {'per 100':>8} {'threads':>8}"
        )
        for row in soaked.rows:
            pss, files = f"{row.first.pss_kib} → {row.last.pss_kib}", f"{row.first.files} → {row.last.files}"
            rss = f"{row.first.rss_kib} → {row.last.rss_kib}"
            print(
                f"{row.process:24} {pss:>16} {rss:>16} {row.rss_slope_kib:>9} {files:>11} {row.files_slope:>8} "
                f"{row.last.threads:>8} {'' if row.flat else ' GROWS'}"
            )
        print(f"runs a minute: {soaked.first_quarter} in the first quarter, {soaked.last_quarter} in the last")
        for wrong in [*soaked.failed, *(f"{each} died" for each in soaked.died)]:
            print(wrong)
        print("flat" if soaked.holds else "NOT flat")
    sys.exit(0 if soaked.holds else 1)


if __name__ == "__main__":
    main()
