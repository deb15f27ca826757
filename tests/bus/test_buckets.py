"""Buckets on a real broker: what it keeps of their keys, and how many it can read."""

from __future__ import annotations

import anyio
import pytest

from bus.errors import BusUnavailable
from tests.bus.rigs import NatsRig


async def test_a_bucket_does_not_keep_for_ever_that_a_key_is_gone(nats: NatsRig) -> None:
    """Else those of all that ever were would be too many to read one day."""
    async with nats.connect("echo") as bus, nats.connect("operator") as operator:
        await bus.put("agents", "echo.1", b"here")
        await bus.delete("agents", "echo.1")
        (gone,) = [kept async for kept in operator.history("KV_agents")]
        assert (gone.body, "Nats-TTL" in gone.headers) == (b"", True)


async def test_a_bucket_with_more_keys_than_can_be_read_is_an_error(nats: NatsRig) -> None:
    """And no empty one, which would mean that nobody is there, or holds anything."""
    async with nats.connect("operator") as bus:
        async with anyio.create_task_group() as tasks:
            for n in range(1025):
                tasks.start_soon(bus.put, "agents", f"echo.{n}", b"here")
        with pytest.raises(BusUnavailable, match="more subjects than can be read"):
            await bus.entries("agents")
