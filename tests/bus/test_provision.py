"""Setting a ledger up on a broker that is not as it should be."""

from __future__ import annotations

import json

import pytest

from bus.bus import NO_HEADERS, Headers, Message
from bus.errors import StoreRefused
from bus.identity import new_identity
from bus.memory import MemoryBroker, MemoryBus
from bus.provision import provision


class Older(MemoryBus):
    """A broker of a time when no message expired: it makes the stream, without what it does not know."""

    async def request(
        self, subject: str, body: bytes, headers: Headers = NO_HEADERS, *, timeout_s: float = 5.0
    ) -> Message:
        """See `Bus.request`."""
        config = json.loads(body)
        config.pop("allow_msg_ttl", None)
        return Message("", json.dumps({"config": config}).encode())


async def test_a_broker_that_does_not_know_what_a_ledger_needs_is_refused() -> None:
    """It would keep members that are gone for ever, and say nothing."""
    with pytest.raises(StoreRefused, match=r"allow_msg_ttl.*2\.11"):
        await provision(Older(MemoryBroker(), new_identity("operator")), (), {})
