"""The house's door: a unix socket by which people hold the house, keep it, ask after it, or end it.

`orchestrator/house.py` is its other side and says the protocol.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from contracts.failure import Failure

_LINE_BYTES = 4096
_CLIENT_S = 1.0


class Door:
    """Who holds the house, and what they ask."""

    def __init__(self, state: Path, *, keep: bool) -> None:
        self.keep = keep
        self.told_down = False
        self.claimed = False
        """Whether anybody has ever held the house."""
        self._path = state / "house.sock"
        self._listener = _listen(state, self._path)
        self._listener.setblocking(False)
        self._clients: set[socket.socket] = set()
        self._holders: set[socket.socket] = set()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)

    @property
    def wanted(self) -> bool:
        """Whether anybody needs the house now."""
        return self.keep or bool(self._holders)

    def wait(self, seconds: float, also: socket.socket, about: Callable[[], dict[str, object]]) -> None:
        """Answer who asks, for at most `seconds` or until `also` is readable."""
        if also not in self._selector.get_map():
            self._selector.register(also, selectors.EVENT_READ)
        for key, _ in self._selector.select(seconds):
            if key.fileobj is self._listener:
                self._admit()
            elif isinstance(key.fileobj, socket.socket) and key.fileobj is not also:
                self._hear(key.fileobj, about)

    def _admit(self) -> None:
        with suppress(BlockingIOError):
            client = self._listener.accept()[0]
            client.settimeout(_CLIENT_S)
            self._clients.add(client)
            self._selector.register(client, selectors.EVENT_READ)

    def _hear(self, client: socket.socket, about: Callable[[], dict[str, object]]) -> None:
        try:
            line = client.recv(_LINE_BYTES)
            op = json.loads(line.split(b"\n", 1)[0])["op"]
        except (OSError, ValueError, KeyError, TypeError):
            self._forget(client)  # it hung up, or does not speak our language
            return
        if op == "down":
            self.told_down = True  # the connection closes when all is gone
            return
        if op == "hold":
            self.claimed = True
            self._holders.add(client)
        self.keep = self.keep or op == "keep"
        with suppress(OSError):
            client.sendall(json.dumps(about()).encode() + b"\n")

    def _forget(self, client: socket.socket) -> None:
        self._selector.unregister(client)
        self._holders.discard(client)
        self._clients.discard(client)
        client.close()

    def refuse(self, failure: Failure) -> None:
        """Tell everybody who waits that there will be no house."""
        while True:
            try:
                client = self._listener.accept()[0]
            except BlockingIOError:
                return
            with client, suppress(OSError):
                client.settimeout(_CLIENT_S)
                client.recv(_LINE_BYTES)  # closing with a question unread would lose the answer
                client.sendall(json.dumps({"failure": failure.model_dump(mode="json")}).encode() + b"\n")

    def leave(self) -> None:
        """In a fork: let go of what is the house's alone."""
        for held in (self._listener, *self._clients):
            held.close()
        self._selector.close()

    def close(self) -> None:
        """The house is gone."""
        self._path.unlink(missing_ok=True)
        self.leave()


def _listen(state: Path, path: Path) -> socket.socket:
    """A socket reachable by its owner only, however long its path is (the kernel takes 107 bytes)."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
    mask = os.umask(0o177)
    try:
        listener.bind(f"/proc/self/fd/{folder}/{path.name}" if sys.platform == "linux" else str(path))
    finally:
        os.umask(mask)
        os.close(folder)
    listener.listen(64)
    return listener
