"""Where a process of Podium finds its identity and its broker."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from bus.bus import Bus
from bus.crash import arm
from bus.identity import load_identity
from bus.nats_bus import connect_nats

URL_ENV = "PODIUM_NATS_URL"
"""One address, or several of one cluster, separated by commas."""
CREDENTIALS_ENV = "PODIUM_NATS_CREDS"


def identities(state: Path) -> Path:
    """The folder of private keys below a state directory."""
    return state / "identities"


@asynccontextmanager
async def connect(state: Path, url: str, name: str) -> AsyncGenerator[Bus]:
    """Connect as identity `name`, whose key lies in `state`.

    `PODIUM_NATS_CREDS` names a `.creds` file for brokers that want JWTs; it is used for every identity.

    Raises:
        BusUnavailable: nothing answers at `url`, or the broker refuses the identity.
        OSError: the key cannot be read.
    """
    arm(name)
    identity = load_identity(identities(state), name)
    async with connect_nats(url, identity, credentials=os.environ.get(CREDENTIALS_ENV)) as bus:
        yield bus
