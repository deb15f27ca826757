"""What it costs to verify a large ledger, and to ask it: one of N messages, with real seals.

    python -m benchmarks.ledger [--messages N] [--only verify|queries] [--json]

Queries are `podium audit`'s, of a house with that ledger (`benchmarks/queries.py`). What the verifier gets is a call
and its answer by turns, 1 KB each, made and piped into it without being kept; a checkpoint stands before each thousand.
Time and peak memory are of the process that answers alone.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import anyio

from benchmarks import queries
from bus.bus import Stored
from bus.chain import START, leaf, link
from bus.envelope import SEAL, seal
from bus.identity import Identity, new_identity
from contracts.checkpoint import Chained, Checkpoint
from contracts.ledger import CHECKPOINT, server_stream
from orchestrator.recording_file import Header, Line, Signed
from orchestrator.standalone import verify_ledger

STREAM = server_stream("echo")
PER_CHECKPOINT = 1000
TEXT = b'{"text":"%s"}' % (b"x" * 1000)
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


def messages(first: int, last: int, caller: Identity, server: Identity) -> Iterator[Stored]:
    """Calls and their answers, numbered from `first` to `last`."""
    signers = caller.signer(), server.signer()
    for seq in range(first, last + 1):
        call_id, answers = f"{(seq + 1) // 2:032x}", seq % 2 == 0
        subject = f"result.caller.echo.{call_id}" if answers else f"call.echo.say.caller.{call_id}"
        headers = seal(signers[answers], subject, TEXT)
        yield Stored(STREAM, seq, subject, TEXT, headers, BEGUN + timedelta(milliseconds=seq))


def ledger(total: int) -> Iterator[str]:
    """Lines of a file of `total` messages."""
    caller, server, notary = (new_identity(name) for name in ("caller", "echo", "notary"))
    roster = {each.name: each.public for each in (caller, server, notary)}
    checkpoints = -(-total // PER_CHECKPOINT)
    header = Header(
        run=None, version="0", roster=roster, messages=total + checkpoints, notary=notary.public, after=None
    )
    yield header.model_dump_json()
    signer, previous, running = notary.signer(), None, bytes.fromhex(START.hash)
    for number in range(1, checkpoints + 1):
        last = min(number * PER_CHECKPOINT, total)
        section = list(messages((number - 1) * PER_CHECKPOINT + 1, last, caller, server))
        for kept in section:
            running = link(running, leaf(kept))
        streams = {STREAM: Chained(last=last, hash=running.hex())}
        at = BEGUN + timedelta(seconds=number)
        checkpoint = Checkpoint(number=number, previous=previous, at=at, streams=streams, roster=roster)
        previous, body = checkpoint.digest(), checkpoint.canonical()
        yield Signed(checkpoint=body.decode(), seal=seal(signer, CHECKPOINT, body)[SEAL]).model_dump_json()
        yield from (Line.of(kept).model_dump_json() for kept in section)


def measure(total: int) -> dict[str, float]:
    """CPU seconds and peak megabytes of verifying `total` messages."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with subprocess.Popen(
        [sys.executable, verify_ledger.__file__, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as verifier:
        assert verifier.stdin is not None
        assert verifier.stdout is not None
        for line in ledger(total):
            verifier.stdin.write(f"{line}\n")
        verifier.stdin.close()
        found = json.loads(verifier.stdout.read())
    assert (found["verified"], found["messages"]) == (True, total), found
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return {
        "messages": total,
        "checkpoints": found["checkpoints"],
        "cpu_s": round(cpu_s, 1),
        "cpu_us_per_message": round(cpu_s / total * 1e6, 1),
        "peak_mb": round(used.ru_maxrss / 1024, 1),
        "wall_s_with_making_it": round(time.perf_counter() - begun, 1),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=("verify", "queries"))
    options = parser.parse_args()
    figures: dict[str, dict[str, float]] = {}
    if options.only != "queries":
        figures["verify"] = measure(options.messages)
    if options.only != "verify":
        with queries.house() as env:
            anyio.run(queries.filled, env, options.messages)
            figures |= queries.measure(env)
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    for what, told in figures.items():
        print(what)
        for name, figure in told.items():
            print(f"  {name:<24} {figure:>12,}")


if __name__ == "__main__":
    main()
