"""An attacker who holds a valid key and speaks the NATS protocol directly, past every check of ours."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import nats as nats_client
from nats.aio.client import Client

from bus.identity import Identity
from bus.nats_link import barrier


class Attacker:
    """A raw connection that remembers what the broker refused."""

    def __init__(self, client: Client, refused: list[str]) -> None:
        self.client = client
        self._refused = refused

    async def refused(self, *, publish: str = "", subscribe: str = "", body: bytes = b"{}") -> bool:
        """Whether the broker refuses to let it publish or subscribe there."""
        before = len(self._refused)
        if publish:
            await self.client.publish(publish, body)
        else:
            await self.client.subscribe(subscribe)  # pyright: ignore[reportUnknownMemberType] - a bare Future in its hints
        await barrier(self.client)  # the broker's refusal comes before its answer to that
        return len(self._refused) > before


@asynccontextmanager
async def attacker(url: str, identity: Identity) -> AsyncGenerator[Attacker]:
    """Connected as `identity` for as long as the block runs."""
    refused: list[str] = []

    async def on_error(wrong: Exception) -> None:
        refused.append(str(wrong))

    client = await nats_client.connect(  # pyright: ignore[reportUnknownMemberType] - untyped **options upstream
        url,
        nkeys_seed_str=identity.seed,
        inbox_prefix=f"_INBOX.{identity.name}",
        error_cb=on_error,
        allow_reconnect=False,
    )
    try:
        yield Attacker(client, refused)
    finally:
        await client.close()
