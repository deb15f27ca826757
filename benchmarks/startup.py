"""What it costs to begin: the crew against one `import mcp`, `podium --help` against `python -c pass`.

    python -m benchmarks.startup [--json]

Whole processes, the two of a pair in turns; medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import anyio

from orchestrator.house import down, keep

Pair = tuple[list[float], list[float]]


def seconds(*command: str) -> float:
    """Wall seconds of a whole process."""
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": ""})
    return time.perf_counter() - begin


def crew_up() -> float:
    """Wall seconds from asking for a house to every member in the registry, in a fresh state directory."""
    with tempfile.TemporaryDirectory() as folder:

        async def run() -> float:
            begin = time.perf_counter()
            await keep(Path(folder))
            taken = time.perf_counter() - begin
            await down(Path(folder))
            return taken

        return anyio.run(run)


def in_turns(ours: Callable[[], float], peer: Callable[[], float], times: int) -> Pair:
    """Both, `times` times each, after one warm-up of each."""
    ours()
    peer()
    pair: Pair = ([], [])
    for _ in range(times):
        pair[0].append(ours())
        pair[1].append(peer())
    return pair


def measure(times: int) -> dict[str, dict[str, float]]:
    """Seconds of ours and of the peer, and the median of the ratios taken pair by pair."""
    podium = str(Path(sys.executable).parent / "podium")
    pairs = {
        "crew registered / import mcp": in_turns(crew_up, lambda: seconds(sys.executable, "-c", "import mcp"), times),
        "podium --help / python -c pass": in_turns(
            lambda: seconds(podium, "--help"), lambda: seconds(sys.executable, "-c", "pass"), times * 2
        ),
    }
    return {
        name: {
            "ours_s": round(statistics.median(ours), 3),
            "peer_s": round(statistics.median(peer), 3),
            "ratio": round(statistics.median(a / b for a, b in zip(ours, peer, strict=True)), 2),
        }
        for name, (ours, peer) in pairs.items()
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--times", type=int, default=5)
    options = parser.parse_args()
    figures = measure(options.times)
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    for name, row in figures.items():
        print(f"{name:<34} {row['ours_s']:>7.3f} s / {row['peer_s']:.3f} s = {row['ratio']:.2f}")


if __name__ == "__main__":
    main()
