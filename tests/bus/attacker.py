"""An attacker who holds a valid key and speaks the NATS protocol directly, past every check of ours."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

import anyio
import nats as nats_client
from nats.aio.client import Client

from bus.identity import Identity
from bus.nats_link import barrier


class Attacker:
    """A raw connection that remembers what the broker refused."""

    def __init__(self, client: Client, refused: list[str], closed: anyio.Event) -> None:
        self.client = client
        self.closed = closed
        """Set once the broker has cut it off."""
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

    async def permitted(self, subjects: Iterable[str]) -> set[str]:
        """Those of many subjects to which the broker lets it publish."""
        before, tried = len(self._refused), set(subjects)
        for subject in tried:
            await self.client.publish(subject, b"{}")
        await barrier(self.client)
        said = "\n".join(self._refused[before:])
        return {subject for subject in tried if f'"{subject}"'.lower() not in said.lower()}


@asynccontextmanager
async def attacker(url: str, identity: Identity) -> AsyncGenerator[Attacker]:
    """Connected as `identity` for as long as the block runs."""
    refused, closed = list[str](), anyio.Event()

    async def on_error(wrong: Exception) -> None:
        refused.append(str(wrong))

    async def on_closed() -> None:
        closed.set()

    client = await nats_client.connect(  # pyright: ignore[reportUnknownMemberType] - untyped **options upstream
        url,
        nkeys_seed_str=identity.seed,
        inbox_prefix=f"_INBOX.{identity.name}",
        error_cb=on_error,
        closed_cb=on_closed,
        allow_reconnect=False,
    )
    try:
        yield Attacker(client, refused, closed)
    finally:
        await client.close()
