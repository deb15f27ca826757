"""The two kinds of bus every behaviour is shown on: the in-memory double and a real nats-server."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

from bus.account import BrokerAccount
from bus.broker import Durability, EmbeddedBroker, embedded_broker
from bus.bus import Bus
from bus.connect import connect, identities
from bus.grants import SERVE, Grant, results_consumer
from bus.identity import load_identity
from bus.memory import MemoryBroker
from bus.provision import provision
from contracts.ledger import GRANTS_BUCKET, server_stream

CREW = (
    Grant("operator", operates=True),
    Grant(
        "orchestrator",
        calls=("echo.*", "other.*"),
        decides_runs=True,
        decides_gates=True,
        reads_ledger=("echo", "other"),
    ),
    Grant("meddler", calls=("echo.*",)),
    Grant("host_desk", calls=("echo.say", "echo.count", "echo.wait"), hosts=True, decides_gates=True),
    Grant("echo", serves=True, accounts=True),
    Grant("other", serves=True, calls=("echo.say",)),
)


class Rig(Protocol):
    """Hands out connections by identity."""

    def connect(self, name: str) -> AbstractAsyncContextManager[Bus]:
        """A connection of one of `CREW`."""
        ...


class MemoryRig:
    """In-memory; enforces nothing."""

    def __init__(self) -> None:
        self.broker = MemoryBroker()
        for grant in CREW:
            self.broker.set(GRANTS_BUCKET, grant.name, json.dumps(grant.calls).encode())
            if grant.serves:
                stream = server_stream(grant.name)
                self.broker.add_consumer(stream, SERVE, f"call.{grant.name}.>")
            for server in grant.servers():
                self.broker.add_consumer(
                    server_stream(server), results_consumer(grant.name), f"result.{grant.name}.{server}.>"
                )

    @asynccontextmanager
    async def connect(self, name: str) -> AsyncGenerator[Bus]:
        yield self.broker.connect(name)


class NatsRig:
    """A real broker with generated permissions."""

    def __init__(self, state: Path, broker: EmbeddedBroker) -> None:
        self.state = state
        self.broker = broker

    @asynccontextmanager
    async def connect(self, name: str) -> AsyncGenerator[Bus]:
        async with connect(self.state, self.broker.url, name) as bus:
            yield bus

    def forget_deliveries(self, server: str) -> None:
        """Have the store as a broker leaves it that died before it wrote down what it had delivered to `server`."""
        found = list((self.state / "broker").glob(f"**/{server_stream(server)}/obs/{SERVE}/o.dat"))
        assert found
        for file in found:
            file.unlink()


@asynccontextmanager
async def nats_rig(
    state: Path, crew: tuple[Grant, ...] = CREW, *, durability: Durability = "process"
) -> AsyncGenerator[NatsRig]:
    """A provisioned broker for `crew`."""
    every = {grant.name: load_identity(identities(state), grant.name) for grant in crew}
    keys = {name: identity.public for name, identity in every.items()}
    account = BrokerAccount.of(crew, every)
    with embedded_broker(state / "broker", account, durability=durability) as broker:
        rig = NatsRig(state, broker)
        async with rig.connect("operator") as operator:
            await provision(operator, crew, keys)
        yield rig
