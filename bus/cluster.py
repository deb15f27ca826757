"""Several embedded brokers that keep one ledger together, on loopback: for trying out what a cluster does.

Each has a store of its own (`node-1`, `node-2`, … below the broker's folder). Any of them may die: as long as more
than half are there, the ledger can be written and read, after the moment in which those who are left agree on who
leads. Whoever holds it calls `mend` now and then, which starts again who has died.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path

from bus.broker import BrokerFailed, BrokerNode, Durability, EmbeddedBroker
from bus.node import Node
from bus.refusals import Refusal

log = logging.getLogger(__name__)

_AGAIN_S = 1.0
"""A node that does not come up is tried again so often."""


class OtherForm(BrokerFailed):
    """The store is kept by another number of brokers than was asked for; nothing was touched."""


def kept_by(folder: Path) -> int:
    """By how many brokers the store below `folder` is kept; 0 where there is none yet."""
    nodes = len(list(folder.glob("node-*")))
    return nodes or int((folder / "jetstream").exists())


def size_of(folder: Path, wanted: int) -> int:
    """How many brokers are to keep the store below `folder`: as it is kept, else as `wanted` (0: no wish).

    Raises:
        OtherForm: it is kept otherwise than it is wanted. It is never moved: what one broker holds, another lacks.
    """
    kept = kept_by(folder)
    if kept and wanted and kept != wanted:
        how = "one broker" if kept == 1 else f"{kept} brokers"
        raise OtherForm(f"the ledger in {folder} is kept by {how}, not by {wanted}")
    return kept or wanted or 1


def embedded(folder: Path, durability: Durability, size: int) -> Embedded:
    """`size` brokers whose store, and account, lie below `folder`.

    Raises:
        BrokerFailed: they did not come up; says why.
    """
    if size == 1:
        return EmbeddedBroker(folder, durability)
    return EmbeddedCluster(folder, durability, size)


class EmbeddedCluster:
    """Running nodes. Like `EmbeddedBroker`, blocking and free of threads."""

    def __init__(self, folder: Path, durability: Durability = "process", size: int = 3) -> None:
        """Start all nodes.

        Raises:
            BrokerFailed: one did not come up; says why. None is left running.
        """
        secret, peers = secrets.token_urlsafe(32), _free_ports(size)
        self._brokers: list[EmbeddedBroker] = []
        self._restarts = [0] * size
        self._again_at = 0.0
        with ExitStack() as undone:
            undone.callback(self.stop)
            for number, port in enumerate(peers, 1):
                node = Node(f"podium-{number}", port, peers, secret)
                self._brokers.append(EmbeddedBroker(folder / f"node-{number}", durability, node))
            undone.pop_all()

    @property
    def url(self) -> str:
        """Where all of them listen, separated by commas; the same after a restart."""
        return ",".join(broker.url for broker in self._brokers)

    @property
    def nodes(self) -> tuple[BrokerNode, ...]:
        """Who they are and how they are."""
        return tuple(
            BrokerNode(f"podium-{number}", broker.url, broker.pid, broker.running(), restarts)
            for number, (broker, restarts) in enumerate(zip(self._brokers, self._restarts, strict=True), 1)
        )

    def running(self) -> bool:
        """Whether enough of them are alive to decide anything."""
        return sum(broker.running() for broker in self._brokers) * 2 > len(self._brokers)

    def mend(self) -> tuple[str, ...]:
        """Start again who has died; the names of those who were. Who cannot be started is tried again later."""
        if time.monotonic() < self._again_at:
            return ()
        started: list[str] = []
        for index, broker in enumerate(self._brokers):
            if broker.running():
                continue
            try:
                broker.start()
            except BrokerFailed as wrong:
                log.error("podium-%d: %s", index + 1, wrong)
                self._again_at = time.monotonic() + _AGAIN_S
                continue
            self._restarts[index] += 1
            started.append(f"node podium-{index + 1} of the broker")
        return tuple(started)

    def reload(self) -> None:
        """Let all of them take up what their account is now; who is away does so when it comes back."""
        for broker in self._brokers:
            with suppress(ProcessLookupError):
                broker.reload()

    def refusals(self) -> Counter[Refusal]:
        """What any of them has refused since this was last asked, and how often."""
        return sum((broker.refusals() for broker in self._brokers), Counter[Refusal]())

    def stop(self) -> None:
        """End all of them, at once, so that nobody elects those who are about to go."""
        for broker in self._brokers:
            if broker.running():
                os.kill(broker.pid, signal.SIGTERM)
        for broker in self._brokers:
            broker.stop()


Embedded = EmbeddedBroker | EmbeddedCluster


def _free_ports(number: int) -> tuple[int, ...]:
    """Ports of loopback that nobody uses now. Nodes must know each other's before any of them runs."""
    with ExitStack() as opened:
        held = [opened.enter_context(socket.socket()) for _ in range(number)]
        for one in held:
            one.bind(("127.0.0.1", 0))
        return tuple(one.getsockname()[1] for one in held)
