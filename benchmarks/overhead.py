"""What orchestration adds to a run: everything that is not tests, tools or search.

    python -m benchmarks.overhead [--json]

Runs `fix-bug` on the shipped example with a crew that is up, as a person would, and reads the run's own metrics.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from orchestrator.cli.demo import REQUEST, TEST, prepare


def measure(times: int) -> dict[str, float]:
    """Median seconds of a run: in all, in tools, in orchestration."""
    podium = str(Path(sys.executable).parent / "podium")
    totals: list[float] = []
    overheads: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        env = os.environ | {"PODIUM_STATE_DIR": str(Path(folder) / "state")}
        project = prepare(Path(folder))
        subprocess.run([podium, "up"], check=True, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(times):
                command = [podium, "run", "fix-bug", "--repo", str(project), "--test", TEST, "--consent-weak"]
                done = subprocess.run(
                    [*command, "--auto", "all", "--json", REQUEST], check=True, env=env, capture_output=True
                )
                metrics = json.loads(done.stdout)["state"]["metrics"]
                totals.append(metrics["total_s"])
                overheads.append(metrics["overhead_s"])
        finally:
            subprocess.run([podium, "down"], check=True, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return {
        "total_s": round(statistics.median(totals), 2),
        "overhead_s": round(statistics.median(overheads), 3),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    figures = measure(options.times)
    print(
        json.dumps(figures, indent=1)
        if options.json
        else f"a run takes {figures['total_s']} s, {figures['overhead_s']} s of it orchestration"
    )


if __name__ == "__main__":
    main()
