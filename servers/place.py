"""Where a member works: the state directory, the broker, the folders that members share."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from bus.connect import identities
from bus.identity import Identity, load_identity
from bus.key_file import read_key_file
from bus.nats_link import addresses


@dataclass(frozen=True)
class Away:
    """How a member works on another machine than the house's."""

    key: Path
    """The file with its private key."""
    python: Path | None = None
    """Runs projects' tests, in place of the interpreter that they name."""


@dataclass(frozen=True)
class Place:
    """Where what members work with is kept."""

    state: Path
    """Keys and ledger."""
    url: str = ""
    """The broker's, or those of several; empty for a member that serves without one."""
    unsandboxed: bool = False
    consent_weak: bool = False
    """Whether members start that the kernel cannot hold."""
    folder: Path | None = None
    """Where runs' folders and throw-away copies lie; None: with keys and ledger."""
    away: Away | None = None

    @property
    def work(self) -> Path:
        """Runs' folders."""
        return (self.folder or self.state) / "work"

    def scratch(self, name: str) -> Path:
        """One member's folder for throw-away copies, see `servers.throwaway`."""
        return (self.folder or self.state) / "scratch" / name

    @property
    def ports(self) -> tuple[int, ...]:
        """The brokers' ports, if there are any; NATS' own where a URL names none."""
        return tuple(urlsplit(one).port or 4222 for one in addresses(self.url))

    @property
    def named(self) -> bool:
        """Whether a broker is known by a name that has to be looked up."""
        return any(_is_name(urlsplit(one).hostname or "") for one in addresses(self.url))

    def identity(self, name: str) -> Identity:
        """The member's own.

        Raises:
            KeyFileUnusable, OSError: its key cannot be had.
        """
        return read_key_file(self.away.key, name) if self.away else load_identity(identities(self.state), name)


def _is_name(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return host != "localhost"
    return False
