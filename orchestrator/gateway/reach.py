"""What the scopes of an access token cover. Pure.

::

    podium:read           every tool that changes nothing
    podium:call           every tool the gateway's host was granted
    podium:call:SERVER    every tool of one server; of the gateway itself, which is called podium
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

READ = "podium:read"
CALL = "podium:call"


@dataclass(frozen=True)
class Reach:
    """How far somebody reaches into the crew; without arguments, as far as the gateway does."""

    everything: bool = True
    reads: bool = True
    servers: frozenset[str] = frozenset()
    """Every tool of these."""

    @classmethod
    def of(cls, scopes: Iterable[str]) -> Reach:
        """What these scopes cover; others than Podium's mean nothing here."""
        held = frozenset(scopes)
        servers = frozenset(one.removeprefix(f"{CALL}:") for one in held if one.startswith(f"{CALL}:")) - {""}
        return cls(everything=CALL in held, reads=not held.isdisjoint({READ, CALL}), servers=servers)

    @property
    def nothing(self) -> bool:
        """Whether it covers nothing at all."""
        return not (self.reads or self.servers)

    def covers(self, server: str, *, read_only: bool) -> bool:
        """Whether a tool of `server` can be seen and called."""
        return self.everything or server in self.servers or (self.reads and read_only)

    def scopes(self) -> tuple[str, ...]:
        """As scopes of a token."""
        if self.everything:
            return (CALL,)
        return (*((READ,) if self.reads else ()), *(f"{CALL}:{server}" for server in sorted(self.servers)))


def needed(server: str, *, read_only: bool) -> str:
    """The least scope that covers a tool of `server`."""
    return READ if read_only else f"{CALL}:{server}"


def opened(server: str, tools: Mapping[str, bool]) -> dict[str, tuple[str, ...]]:
    """By the least scope that a token needs for them, the tools of `server`, which say whether they change nothing."""
    scopes = {tool: needed(server, read_only=read_only) for tool, read_only in tools.items()}
    return {
        scope: tuple(sorted(tool for tool in tools if scopes[tool] == scope)) for scope in sorted({*scopes.values()})
    }
