"""The house's door: a unix socket by which people hold the house, keep it, ask after it, join it, or end it.

`orchestrator/house.py` is its other side and says the protocol.
"""

from __future__ import annotations

import json
import os
import select
import selectors
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from contracts.config import Joining
from contracts.failure import Failure

_LINE_BYTES = 64 << 10
_CLIENT_S = 1.0

Reply = Callable[[Failure | None], None]
"""Tells who asked how it went."""


class Inside(Protocol):
    """What the door asks of the house."""

    def about(self) -> dict[str, object]:
        """What the house says of itself."""
        ...

    def admit(self, joining: Joining, reply: Reply) -> bool:
        """Have somebody join; False where that was refused, which `reply` has been told by then."""
        ...

    def dismiss(self, joining: Joining) -> None:
        """They have left."""
        ...

    def reload(self, reply: Reply) -> None:
        """Read the crew files again; `reply` hears what came of it."""
        ...


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
        self._joined: dict[socket.socket, Joining] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, self._open)

    @property
    def wanted(self) -> bool:
        """Whether anybody needs the house now."""
        return self.keep or bool(self._holders)

    def watch(self, readable: int | socket.socket, then: Callable[[], None]) -> None:
        """Have `then` called whenever there is something to read."""

        def call(inside: Inside) -> None:
            then()

        self._selector.register(readable, selectors.EVENT_READ, call)

    def unwatch(self, readable: int) -> None:
        """No more."""
        self._selector.unregister(readable)

    def wait(self, seconds: float, inside: Inside) -> None:
        """Answer who asks, for at most `seconds` or until something else is to be done."""
        for key, _ in self._selector.select(seconds):
            key.data(inside)

    def _open(self, inside: Inside) -> None:
        with suppress(BlockingIOError):
            client = self._listener.accept()[0]
            client.settimeout(_CLIENT_S)
            self._clients.add(client)
            self._selector.register(client, selectors.EVENT_READ, partial(self._hear, client))

    def _hear(self, client: socket.socket, inside: Inside) -> None:
        try:
            asked = json.loads(_line(client))
            op = asked["op"]
        except (OSError, ValueError, KeyError, TypeError):
            self._forget(client, inside)  # it hung up, or does not speak our language
            return
        reply = partial(self._answer, client, inside)
        match op:
            case "down":
                self.told_down = True  # the connection closes when all is gone
            case "join":
                self._join(client, asked.get("who"), inside, reply)
            case "reload":
                inside.reload(reply)
            case _:
                if op == "hold":
                    self.claimed = True
                    self._holders.add(client)
                self.keep = self.keep or op == "keep"
                reply(None)

    def _join(self, client: socket.socket, who: object, inside: Inside, reply: Reply) -> None:
        try:
            joining = Joining.model_validate(who)
        except ValidationError as wrong:
            told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in wrong.errors()[:3])
            reply(Failure(kind="invalid", message=f"who joins is not understood: {told}"))
            return
        if client not in self._joined and inside.admit(joining, reply):
            self._joined[client] = joining

    def _answer(self, client: socket.socket, inside: Inside, failure: Failure | None) -> None:
        said = _line_of(failure) if failure else json.dumps(inside.about()).encode() + b"\n"
        with suppress(OSError):
            client.sendall(said)

    def _forget(self, client: socket.socket, inside: Inside) -> None:
        self._selector.unregister(client)
        self._holders.discard(client)
        self._clients.discard(client)
        client.close()
        if (joining := self._joined.pop(client, None)) is not None:
            inside.dismiss(joining)

    def refuse(self, failure: Failure) -> None:
        """Tell everybody who holds the house, or waits for it, why there is none."""
        for client in self._holders:
            with suppress(OSError):
                client.sendall(_line_of(failure))
        if not self.claimed:  # whoever started the house is on the way
            select.select([self._listener], [], [], _CLIENT_S)
        while True:
            try:
                client = self._listener.accept()[0]
            except BlockingIOError:
                return
            with client, suppress(OSError):
                client.settimeout(_CLIENT_S)
                client.recv(_LINE_BYTES)  # closing with a question unread would lose the answer
                client.sendall(_line_of(failure))

    def leave(self) -> None:
        """In a fork: let go of what is the house's alone."""
        for held in (self._listener, *self._clients):
            held.close()
        self._selector.close()

    def close(self) -> None:
        """The house is gone."""
        self._path.unlink(missing_ok=True)
        self.leave()


def _line_of(failure: Failure) -> bytes:
    return json.dumps({"failure": failure.model_dump(mode="json")}).encode() + b"\n"


def _line(client: socket.socket) -> bytes:
    """What a client asks.

    Raises:
        OSError: it hung up, said too much, or took too long.
    """
    data = b""
    while b"\n" not in data:
        more = client.recv(_LINE_BYTES)
        data += more
        if not more or len(data) > _LINE_BYTES:
            raise ConnectionError("no line")
    return data.split(b"\n", 1)[0]


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
