"""How long an event loop says nothing while threads beside it are busy: `python -m benchmarks.heartbeats`.

A server's process says that it is at work every ACK_WAIT_S / 3; after ACK_WAIT_S of silence its calls are delivered
again. Python code in a thread gives way every few milliseconds; C code that keeps the interpreter's lock does not.
"""

from __future__ import annotations

import ast
import difflib
import json
import re
from collections.abc import Callable
from functools import partial

import anyio
import click
from anyio import to_thread

from bus.provision import ACK_WAIT_S
from contracts.code_writer import WriteParams

_TICK_S = 0.01


def _search() -> None:
    re.search(r"(a|aa)+$", "a" * 36 + "b")


def _parse(source: str) -> None:
    ast.parse(source)


def _decode(text: str) -> None:
    json.loads(text)


def _validate(text: str) -> None:
    WriteParams.model_validate_json(text)


def _compare(one: list[str], other: list[str]) -> None:
    list(difflib.unified_diff(one, other))


def _loads() -> dict[str, tuple[Callable[[], None], int]]:
    """What is done, by name, and by how many threads at once."""
    source = "\n".join(f"def f{n}(a, b):\n    return a + b * {n} if a else [b, {n}]" for n in range(40_000))
    lines = source.splitlines()
    text = json.dumps([{"line": each, "number": number} for number, each in enumerate(lines * 10)])
    params = {"run": "r-aaaa", "request": "x" * (64 << 20), "path": "a.py", "instruction": "y"}
    return {
        "nothing": (lambda: None, 0),
        "Python code (a diff), 8 threads": (partial(_compare, lines[:4000], lines[1:4000:2]), 8),
        f"ast.parse of {len(source) >> 20} MB": (partial(_parse, source), 1),
        f"json.loads of {len(text) >> 20} MB": (partial(_decode, text), 1),
        "a 64 MB call validated": (partial(_validate, json.dumps(params)), 1),
        "a regular expression that backtracks": (_search, 1),
    }


async def _longest_silence(work: Callable[[], None], threads: int) -> float:
    """Seconds, while `threads` do `work` once each."""
    longest, done = 0.0, anyio.Event()

    async def watch() -> None:
        nonlocal longest
        last = anyio.current_time()
        while not done.is_set():
            await anyio.sleep(_TICK_S)
            longest, last = max(longest, anyio.current_time() - last - _TICK_S), anyio.current_time()

    async with anyio.create_task_group() as watching:
        watching.start_soon(watch)
        async with anyio.create_task_group() as working:
            for _ in range(threads):
                working.start_soon(to_thread.run_sync, work)
            await anyio.sleep(0.2)
        done.set()
    return longest


def main() -> None:
    """Print the table."""
    for name, (work, threads) in _loads().items():
        silence_s = anyio.run(_longest_silence, work, threads)
        click.echo(f"{name:<40} {silence_s * 1000:>8.0f} ms  {silence_s / ACK_WAIT_S:>6.1%} of what is allowed")


if __name__ == "__main__":
    main()
