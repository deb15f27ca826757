"""What it costs to keep every message on three brokers instead of one: the engine's calls, in turns, in one run.

    python -m benchmarks.replicas [--rounds 3]

All brokers are on this machine, so the ratio is of work, not of networks: three hosts do it in parallel, and add the
time of a way between them.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from contextlib import AsyncExitStack

import anyio

from benchmarks.calls import Say, latency, over_bus, throughput


async def measure(rounds: int) -> dict[str, tuple[float, float]]:
    """(p50 in ms, calls/s with many in flight) of each way."""
    async with AsyncExitStack() as opened:
        ways: dict[str, Say] = {}
        for durability in ("process", "disk"):
            for brokers in (1, 3):
                _, direct = await opened.enter_async_context(over_bus(durability, brokers))
                ways[f"{durability}, {brokers} broker{'s' * (brokers > 1)}"] = direct
        times: dict[str, list[float]] = {name: [] for name in ways}
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for say in ways.values():
            await latency(say, 50)
        for _ in range(rounds):
            for name, say in ways.items():
                times[name] += await latency(say, 100)
                rates[name].append(await throughput(say, 500))
    return {name: (statistics.median(times[name]), statistics.median(rates[name])) for name in ways}


def main() -> None:
    """Print the figures, and the ratio of three brokers to one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replicas", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    found = anyio.run(measure, parser.parse_args().rounds, backend_options={"use_uvloop": True})
    sys.stdout.write(f"{'1 KB call':<20}{'p50 ms':>8}{'64 at once/s':>14}\n")
    for name, (p50, rate) in found.items():
        sys.stdout.write(f"{name:<20}{p50:>8.2f}{rate:>14.0f}\n")
    for durability in ("process", "disk"):
        one, three = found[f"{durability}, 1 broker"], found[f"{durability}, 3 brokers"]
        sys.stdout.write(f"{durability}: {three[0] / one[0]:.1f} × the time, {three[1] / one[1]:.2f} × the calls/s\n")


if __name__ == "__main__":
    main()
