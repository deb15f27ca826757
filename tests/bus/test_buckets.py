"""Buckets on a real broker: what it keeps of their keys, and how many it can read."""

from __future__ import annotations

import anyio
import pytest

from bus.errors import BusUnavailable
from bus.registry import forget_all
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


async def test_a_house_that_starts_forgets_who_was_there_and_who_left_before_marks_vanished(nats: NatsRig) -> None:
    """What an older version left behind would stay for ever."""
    async with nats.connect("operator") as bus:
        await bus.put("agents", "echo.here", b"card")
        await bus.store("$KV.agents.echo.left", b"", {"KV-Operation": "DEL"})
        await forget_all(bus)
        kept = [each async for each in bus.history("KV_agents")]
        assert {each.subject: each.body for each in kept} == {"$KV.agents.echo.here": b"", "$KV.agents.echo.left": b""}
        assert all("Nats-TTL" in each.headers for each in kept)
        before = [each.seq for each in kept]
        await forget_all(bus)
        assert [each.seq async for each in bus.history("KV_agents")] == before
