"""Hurts a cluster of three and says what became of everything that it had acknowledged.

    python -m tests.cluster [--kills 5] [--cuts 3] [--runs 2]

First calls, eight at a time: the leader of their stream is killed, then nodes are cut off from their peers. Then whole
runs of Podium, each with its leader killed while tests run and a node cut off while two steps go in parallel.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import anyio

from tests.cluster.rig import ClusterRig, Tally, calls_while, cluster_rig
from tests.cluster.runs import attached, hurt_run, undisturbed


async def calls(folder: Path, kills: int, cuts: int) -> tuple[dict[str, Tally], str]:
    """What became of calls while leaders were killed, and while they were cut off; and how that was done."""
    async with cluster_rig(folder) as rig:

        async def kill() -> None:
            leader = await rig.leader()
            leader.kill()
            leader.start()

        found = {"leader killed": await calls_while(rig, kill, kills)}
        found["leader cut off"] = await calls_while(rig, lambda: _cut(rig), cuts)
        return found, rig.hosts.partition


async def _cut(rig: ClusterRig) -> None:
    leader = await rig.leader()
    leader.cut()
    try:
        with anyio.fail_after(90):
            while True:
                await anyio.sleep(0.5)
                if await rig.leader() != leader:
                    return
    finally:
        leader.heal()


def main() -> None:
    """Print the table; status 1 where anything was lost, doubled, or not finished."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--cuts", type=int, default=3)
    parser.add_argument("--runs", type=int, default=2)
    options = parser.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory(prefix="podium-cluster-") as name:
        folder = Path(name)
        found, how = anyio.run(calls, folder / "calls", options.kills, options.cuts)
        head = f"{'what':<16}{'times':>6}{'calls':>8}{'lost':>6}{'doubled':>9}{'executed twice':>16}"
        _say(f"cut off by {how}\n\n{head}{'pause p50 s':>13}{'max s':>8}")
        for what, tally in found.items():
            pauses = tally.pauses_s or [0.0]
            _say(
                f"{what:<16}{len(tally.pauses_s):>6}{tally.answered:>8}{tally.lost:>6}{tally.doubled:>9}{tally.twice:>16}"
                f"{statistics.median(pauses):>13.1f}{max(pauses):>8.1f}"
            )
            bad += tally.lost + tally.doubled + tally.unlisted
        if options.runs:
            bad += _runs(folder / "runs", options.runs)
    sys.exit(1 if bad else 0)


def _runs(folder: Path, times: int) -> int:
    bad = 0
    with attached(folder) as (podium, found):
        tree = undisturbed(podium, folder / "undisturbed")
        _say(f"\n{'run':<6}{'finished':>9}{'same tree':>11}{'calls':>7}{'unanswered':>12}{'doubled':>9}{'took s':>8}")
        for number in range(1, times + 1):
            one = hurt_run(podium, found, tree, folder / f"shop-{number}")
            finished, same = "yes" if one.code == 0 else "NO", "yes" if one.same_tree else "NO"
            _say(
                f"{number:<6}{finished:>9}{same:>11}{one.calls:>7}{one.unanswered:>12}{one.doubled:>9}{one.seconds:>8.0f}"
            )
            if one.code or not one.same_tree or one.doubled or one.unanswered:
                bad += 1
                _say(one.said)
    return bad


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
