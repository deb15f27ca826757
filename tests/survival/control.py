"""The harness's side of `bus.crash`: the folder that a process's crash points look into."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bus.crash import ENV

Action = Literal["die", "hold"]


@dataclass(frozen=True)
class Order:
    """What a process does at its nth passage of a point; None: at every one."""

    point: str
    process: str
    nth: int | None
    action: Action

    def __str__(self) -> str:
        return f"{self.point} {self.process} {'*' if self.nth is None else self.nth} {self.action}"


@dataclass(frozen=True)
class Held:
    """A process that waits at a point."""

    point: str
    process: str
    nth: int
    pid: int


class Control:
    """A folder of orders and passages; processes that are started with `env` obey it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        (folder / "orders").touch()
        (folder / "passed").touch()
        for name in ("told", "go"):
            os.mkfifo(folder / name)
        self.told = os.open(folder / "told", os.O_RDWR | os.O_CLOEXEC)
        """Readable when somebody is held."""
        self._go = os.open(folder / "go", os.O_RDWR | os.O_CLOEXEC)
        self._known: dict[str, int] = {}

    @property
    def env(self) -> dict[str, str]:
        """The environment of who is to obey."""
        return {ENV: str(self._folder)}

    def order(self, orders: Iterable[Order]) -> None:
        """Give these orders instead of those before, and count passages from now on."""
        self._known |= self.processes()
        self.drain()
        (self._folder / "orders").write_text("".join(f"{order}\n" for order in orders))
        os.truncate(self._folder / "passed", 0)

    def drain(self) -> None:
        """Forget who was held, and leaves to go on that nobody took: whom they were for is dead."""
        for pipe in (self.told, self._go):
            os.set_blocking(pipe, False)
            with suppress(BlockingIOError):
                while os.read(pipe, 1 << 16):
                    pass
            os.set_blocking(pipe, True)

    def held(self) -> list[Held]:
        """Who waits; returns once somebody does."""
        lines = os.read(self.told, 1 << 16).decode().splitlines()
        return [Held(point, process, int(nth), int(pid)) for point, process, nth, pid in map(str.split, lines)]

    def go(self) -> None:
        """Let one who waits go on."""
        os.write(self._go, b"\n")

    def passages(self) -> Counter[tuple[str, str]]:
        """How often each point was passed since the orders were given, by (point, process)."""
        return Counter((point, process) for point, process, _ in self._passed())

    def processes(self) -> dict[str, int]:
        """The newest process of each name that passed anything."""
        return self._known | {process: int(pid) for _, process, pid in self._passed()}

    def _passed(self) -> list[tuple[str, str, str]]:
        lines = (line.split() for line in (self._folder / "passed").read_text().splitlines())
        return [(words[0], words[1], words[2]) for words in lines]
