"""Three brokers, each on a host of its own as far as the kernel grants it: a network namespace with two cables.

One cable leads to its peers, the other to the clients, so that a broker can be cut off from its peers while its
clients still reach it, which is the hardest kind of partition. Where namespaces are denied, all three are on
loopback, and a broker is cut off by being stopped.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bus.broker import find_server
from bus.node import Node

SIZE = 3
_CLIENTS = f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
"""A network that no other such test on this machine uses; that of the peers is seen by them only."""
_PEERS = "10.199.1"
_START_S = 20.0


class Host:
    """One broker and where it runs."""

    def __init__(self, number: int, folder: Path, config: dict[str, object], space: str) -> None:
        self.number = number
        self.name = f"podium-{number}"
        self.space = space
        self._folder = folder
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"nats://{self._config['listen']}"

    def start(self) -> None:
        """Start it (again) and wait until it listens."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / "nats.json"
        file.write_text(json.dumps(self._config))
        within = ["ip", "netns", "exec", self.space] if self.space else []
        with (self._folder / "nats.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*within, find_server(), "-c", str(file)], stdout=log, stderr=log, preexec_fn=_die_with_parent
            )
        host, _, port = str(self._config["listen"]).rpartition(":")
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            try:
                with socket.create_connection((host, int(port)), 1):
                    return
            except OSError:
                time.sleep(0.02)
        raise AssertionError((self._folder / "nats.log").read_text())

    def kill(self) -> None:
        """kill -9."""
        self._signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def cut(self) -> None:
        """Cut it off from its peers; from its clients too, where it can only be stopped."""
        if self.space:
            _ip("-n", self.space, "link", "set", "peers", "down")
        else:
            self._signal(signal.SIGSTOP)

    def heal(self) -> None:
        """Undo that."""
        if self.space:
            _ip("-n", self.space, "link", "set", "peers", "up")
        else:
            self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        """End it, however it stands."""
        if self._process is not None and self._process.poll() is None:
            self.kill()


class Hosts:
    """All of them."""

    def __init__(self, hosts: tuple[Host, ...]) -> None:
        self.all = hosts

    @property
    def url(self) -> str:
        """As `PODIUM_NATS_URL` takes it."""
        return ",".join(host.url for host in self.all)

    @property
    def partition(self) -> str:
        """How one is cut off."""
        return "network namespaces" if self.all[0].space else "SIGSTOP"

    def named(self, name: str) -> Host:
        """By the name under which its peers know it."""
        return next(host for host in self.all if host.name == name)


@contextmanager
def hosts(folder: Path, account: dict[str, object]) -> Generator[Hosts]:
    """Running brokers of one cluster, with these users; nothing of them is left behind."""
    with ExitStack() as opened:
        spaces = opened.enter_context(_spaces())
        made: list[Host] = []
        listens = [f"{_CLIENTS}.{number}:4222" for number in range(1, SIZE + 1)] if spaces else _loopback()
        peers = [f"{_PEERS}.{number}:6222" for number in range(1, SIZE + 1)] if spaces else _loopback()
        for number in range(1, SIZE + 1):
            node = Node(f"podium-{number}", 0, (), "of-the-tests").configuration()
            cluster = dict[str, object](
                node["cluster"],  # pyright: ignore[reportArgumentType, reportCallIssue] - a dict, which `object` hides
                listen=peers[number - 1],
                routes=[f"nats-route://node:of-the-tests@{peer}" for peer in peers],
            )
            config = node | {
                "cluster": cluster,
                "listen": listens[number - 1],
                "max_payload": 8 << 20,
                "jetstream": {"store_dir": str(folder / f"host-{number}" / "store"), "sync_interval": "1s"},
                **account,
            }
            made.append(Host(number, folder / f"host-{number}", config, spaces[number - 1] if spaces else ""))
        for host in made:
            opened.callback(host.stop)
            host.start()
        yield Hosts(tuple(made))


@contextmanager
def _spaces() -> Generator[tuple[str, ...]]:
    """Names of network namespaces that are wired up; none where that is denied."""
    stem = f"pd{os.getpid() % 100000}"
    names = tuple(f"{stem}-{number}" for number in range(1, SIZE + 1))
    try:
        try:
            _wire(stem, names)
        except (OSError, subprocess.CalledProcessError):
            _unwire(stem, names)
            names = ()
        yield names
    finally:
        _unwire(stem, names)


def _wire(stem: str, names: tuple[str, ...]) -> None:
    for kind, address in (("c", f"{_CLIENTS}.254/24"), ("p", "")):
        _ip("link", "add", f"{stem}{kind}", "type", "bridge")
        _ip("link", "set", f"{stem}{kind}", "up")
        if address:
            _ip("addr", "add", address, "dev", f"{stem}{kind}")
    for number, name in enumerate(names, 1):
        _ip("netns", "add", name)
        _ip("-n", name, "link", "set", "lo", "up")
        for kind, inside, net in (("c", "clients", _CLIENTS), ("p", "peers", _PEERS)):
            outside = f"{stem}{kind}{number}"
            _ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", name)
            _ip("link", "set", outside, "master", f"{stem}{kind}", "up")
            _ip("-n", name, "addr", "add", f"{net}.{number}/24", "dev", inside)
            _ip("-n", name, "link", "set", inside, "up")


def _unwire(stem: str, names: tuple[str, ...]) -> None:
    for name in names:
        _ip("netns", "del", name, check=False)
    for kind in "cp":
        _ip("link", "del", f"{stem}{kind}", check=False)


def _ip(*words: str, check: bool = True) -> None:
    program = shutil.which("ip", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        raise FileNotFoundError("ip")
    subprocess.run([program, *words], check=check, capture_output=True)


def _loopback() -> list[str]:
    with ExitStack() as opened:
        held = [opened.enter_context(socket.socket()) for _ in range(SIZE)]
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{one.getsockname()[1]}" for one in held]


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
