"""A durable, audited call over the bus against the same tool over MCP stdio, which keeps nothing.

    python -m benchmarks.calls [--json]

All in one run, in turns, so that a machine that drifts drifts for everybody. 1 KB of text each way.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from benchmarks.echo import EchoParams, EchoResult
from bus.account import ACCOUNT_FILE, BrokerAccount
from bus.broker import Durability
from bus.caller import new_call_id, open_caller
from bus.cluster import Embedded, embedded
from bus.connect import connect, identities
from bus.grants import Grant
from bus.identity import load_identity
from bus.provision import provision
from bus.transport import nats_transport

TEXT = "x" * 1024
IN_FLIGHT = 64
Say = Callable[[], Awaitable[None]]


@asynccontextmanager
async def over_stdio() -> AsyncGenerator[Say]:
    """The official client, the SDK's stdio transport."""
    server = StdioServerParameters(command=sys.executable, args=["-m", "benchmarks.echo", "stdio"])
    async with Client(stdio_client(server)) as client:

        async def say() -> None:
            await client.call_tool("say", {"text": TEXT})

        yield say


@asynccontextmanager
async def over_bus(durability: Durability, brokers: int = 1) -> AsyncGenerator[tuple[Say, Say]]:
    """The official client over our transport, and the engine's own caller; kept by so many brokers."""
    grants = (
        Grant("operator", operates=True),
        Grant("echo", serves=True),
        Grant("orchestrator", calls=("echo.*",), decides_runs=True),
    )
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        every = {grant.name: load_identity(identities(state), grant.name) for grant in grants}
        keys = {name: identity.public for name, identity in every.items()}
        account = BrokerAccount.of(grants, every)
        (state / "broker").mkdir()
        account.write(state / "broker" / ACCOUNT_FILE)
        with closing_broker(embedded(state / "broker", durability, brokers)) as broker:
            async with connect(state, broker.url, "operator") as operator:
                await provision(operator, grants, keys, replicas=brokers)
            with _child("bus", str(state), broker.url):
                async with AsyncExitStack() as opened:
                    bus = await opened.enter_async_context(connect(state, broker.url, "orchestrator"))
                    caller = await opened.enter_async_context(open_caller(bus))
                    client = await opened.enter_async_context(Client(nats_transport(caller, bus, "echo")))

                    async def through_client() -> None:
                        await client.call_tool("say", {"text": TEXT})

                    async def direct() -> None:
                        await caller.call("echo", "say", EchoParams(text=TEXT), EchoResult, call_id=new_call_id())

                    yield through_client, direct


@contextmanager
def closing_broker(broker: Embedded) -> Generator[Embedded]:
    """It, for as long as the block runs."""
    try:
        yield broker
    finally:
        broker.stop()


@contextmanager
def _child(*args: str):
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.echo", *args], stdout=subprocess.PIPE)
    with process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield
        finally:
            process.kill()


async def latency(say: Say, calls: int) -> list[float]:
    """Milliseconds of each of `calls` calls, one at a time."""
    taken: list[float] = []
    for _ in range(calls):
        begin = time.perf_counter()
        await say()
        taken.append((time.perf_counter() - begin) * 1e3)
    return taken


async def throughput(say: Say, calls: int) -> float:
    """Calls per second with `IN_FLIGHT` at once."""
    left = iter(range(calls))

    async def worker() -> None:
        for _ in left:
            await say()

    begin = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for _ in range(IN_FLIGHT):
            tasks.start_soon(worker)
    return calls / (time.perf_counter() - begin)


async def measure(rounds: int) -> dict[str, dict[str, float]]:
    """p50 in ms and calls/s for every way, the ways taken in turns."""
    async with AsyncExitStack() as opened:
        ways: dict[str, Say] = {"stdio": await opened.enter_async_context(over_stdio())}
        for durability in ("process", "disk"):
            client, direct = await opened.enter_async_context(over_bus(durability))
            ways[f"bus, {durability}, official client"] = client
            ways[f"bus, {durability}, engine's caller"] = direct
        times: dict[str, list[float]] = {name: [] for name in ways}
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for say in ways.values():
            await latency(say, 50)
        for _ in range(rounds):
            for name, say in ways.items():
                times[name] += await latency(say, 150)
            for name, say in ways.items():
                rates[name].append(await throughput(say, 1000))
    return {
        name: {
            "p50_ms": round(statistics.median(times[name]), 3),
            "p99_ms": round(statistics.quantiles(times[name], n=100)[98], 3),
            "per_s": round(statistics.median(rates[name]), 1),
        }
        for name in ways
    }


def main() -> None:
    """Print the figures, and the ratios to stdio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    figures = anyio.run(measure, options.rounds, backend_options={"use_uvloop": True})
    peer = figures["stdio"]
    for row in figures.values():
        row["p50_ratio"] = round(row["p50_ms"] / peer["p50_ms"], 2)
        row["per_s_ratio"] = round(row["per_s"] / peer["per_s"], 2)
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    print(f"{'1 KB call':<32} {'p50 ms':>8} {'p99 ms':>8} {'× stdio':>8} {'64 at once/s':>13} {'× stdio':>8}")
    for name, row in figures.items():
        print(
            f"{name:<32} {row['p50_ms']:>8.2f} {row['p99_ms']:>8.2f} {row['p50_ratio']:>8.2f}"
            f" {row['per_s']:>13.0f} {row['per_s_ratio']:>8.2f}"
        )


if __name__ == "__main__":
    main()
