"""A real ledger of N messages under a house of its own, and what `podium audit` takes to answer from it."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import anyio

from benchmarks.echo import EchoParams
from bus.bus import Bus, Message
from bus.connect import connect, identities
from bus.envelope import seal
from bus.grants import OPERATOR, Grant
from bus.identity import Signer, load_identity
from bus.provision import provision
from bus.subjects import CallSubject
from bus.wire import Correlation, JsonObject, call_request, failure_result, response
from contracts.failure import Failure
from orchestrator.house import status
from servers.crew import CREW_FILE, read_crew

SERVER = "echo"
CALLERS = ("orchestrator", "code_writer", "test_writer", "model")
TOOLS = ("say", "count", "wait", "fail")
TEXT = "x" * 600
RARE = 1000
"""One call in so many is denied."""
RUNS = 1000
_AT_ONCE = 2048


@contextmanager
def house() -> Generator[Mapping[str, str]]:
    """The environment in which `podium` finds a house of its own, which is up."""
    with tempfile.TemporaryDirectory(prefix="podium-benchmark-") as folder:
        env = {**os.environ, "PODIUM_STATE_DIR": folder, "PODIUM_CREW": f"{folder}/crew.toml"}
        subprocess.run([*PODIUM, "up"], env=env, check=True, stdout=subprocess.DEVNULL)
        try:
            yield env
        finally:
            subprocess.run([*PODIUM, "down"], env=env, check=True)


PODIUM = (sys.executable, "-m", "orchestrator.cli.main")


def exchange(n: int, signers: Mapping[str, Signer]) -> Generator[tuple[str, bytes, Mapping[str, str]]]:
    """The call of number `n` and its answer: subject, body and headers."""
    caller, tool = CALLERS[n % len(CALLERS)], TOOLS[n % 7 % len(TOOLS)]
    call = CallSubject(SERVER, tool, caller, f"{n:08x}{secrets.token_hex(12)}")
    about = Correlation(run=f"r-bench{n % RUNS:04d}", step="propose")
    yield _stored(str(call), call_request(call.call_id, tool, EchoParams(text=TEXT), about), signers[caller])
    if n % RARE == 0:
        result = failure_result(Failure(kind="denied", message=f"{caller} was not granted {SERVER}.{tool}"))
    else:
        result: JsonObject = {
            "resultType": "complete",
            "isError": False,
            "content": [],
            "structuredContent": {"text": TEXT},
        }
    yield _stored(call.result, response(call.call_id, result), signers[SERVER])


def _stored(subject: str, body: bytes, signer: Signer) -> tuple[str, bytes, Mapping[str, str]]:
    return subject, body, {**seal(signer, subject, body), "Nats-Expected-Last-Subject-Sequence": "0"}


async def fill(bus: Bus, signers: Mapping[str, Signer], messages: int) -> None:
    """Store as many, as fast as the broker acknowledges them; `bus` is the operator's."""
    room, inbox = anyio.Semaphore(_AT_ONCE), f"_INBOX.{OPERATOR}.{secrets.token_hex(8)}"

    async def acknowledged(message: Message) -> None:
        assert b'"error"' not in message.body, message.body
        room.release()

    async with bus.listen(inbox, acknowledged):
        for n in range(messages // 2):
            for subject, body, headers in exchange(n, signers):
                await room.acquire()
                await bus.publish(subject, body, headers, reply=inbox)
        for _ in range(_AT_ONCE):
            await room.acquire()


async def filled(env: Mapping[str, str], messages: int) -> None:
    """Have the house's ledger hold them, and its notary sign for them."""
    state = Path(env["PODIUM_STATE_DIR"])
    found = await status(state)
    assert found is not None
    grants = (*read_crew(CREW_FILE).grants(), Grant(SERVER, serves=True))
    keys = {grant.name: load_identity(identities(state), grant.name) for grant in grants}
    async with connect(state, found.url, OPERATOR) as bus:
        await provision(bus, grants, {name: key.public for name, key in keys.items()})
        await fill(bus, {name: keys[name].signer() for name in (SERVER, *CALLERS)}, messages)


def measure(env: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """Wall and CPU seconds and peak megabytes of each command, and how much it found; its children's are in it."""
    folder = Path(env["PODIUM_STATE_DIR"])
    one = json.loads(_said(env, "audit", "log", "--last", "1", "--kind", "call", "--json"))[0]["call_id"]
    commands = {
        f"log, 1 call of {RARE:,}": ("log", "--kind", "call", "--outcome", "denied", "--format", "jsonl"),
        "log, the last 20": ("log", "--last", "20", "--format", "jsonl"),
        "log, one caller's denied": ("log", "--agent", "code_writer", "--outcome", "denied", "--format", "jsonl"),
        "stats": ("stats", "--json"),
        "stats, signatures checked": ("stats", "--signatures", "--json"),
        "show, by id": ("show", one, "--json"),
        "show, by its beginning": ("show", one[:10], "--json"),
        "log to CSV": ("log", "--kind", "call", "-o", str(folder / "calls.csv"), "--force"),
        "log to Parquet": ("log", "--kind", "call", "-o", str(folder / "calls.parquet"), "--force"),
        "export": ("export", "-o", str(folder / "ledger.jsonl"), "--force"),
        "verify the file": ("verify", str(folder / "ledger.jsonl"), "--json"),
    }
    return {what: _measured(env, *command) for what, command in commands.items()}


def _measured(env: Mapping[str, str], *command: str) -> dict[str, float]:
    begun = time.perf_counter()
    with subprocess.Popen([*PODIUM, "audit", *command], env=env, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines = sum(1 for _ in process.stdout)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return {
        "wall_s": round(time.perf_counter() - begun, 1),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "peak_mb": round(used.ru_maxrss / 1024, 1),
        "lines": lines,
    }


def _said(env: Mapping[str, str], *command: str) -> str:
    return subprocess.run([*PODIUM, *command], env=env, check=True, capture_output=True, text=True).stdout
