"""A member that the kernel does not hold to all it was granted says so where everybody looks."""

from __future__ import annotations

import anyio
import pytest

from bus.grants import SERVE
from bus.memory import MemoryBroker
from bus.registry import cards
from contracts.consent import CONSENT_ENV, consented
from contracts.ledger import server_stream
from contracts.manifest import Card
from servers.confine import Held
from servers.runtime import serve
from tests.bus.echo import Echo, everybody


@pytest.mark.parametrize("held", [Held("landlock abi 7 + seccomp"), Held("seccomp + not held: files", weak=True)])
async def test_a_members_card_says_how_it_is_held(held: Held) -> None:
    """In words for people, and as a word for programs."""
    broker, ready = MemoryBroker(), anyio.Event()
    broker.add_consumer(server_stream("echo"), SERVE, "call.echo.>")
    bus, seen = broker.connect("echo"), list[Card]()

    async def run() -> None:
        await serve(
            bus,
            Echo(),
            everybody,
            granted_scopes=(),
            granted_calls=(),
            held=held,
            sandbox="",
            ready=ready.set,
        )

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await ready.wait()
        seen += await cards(bus)
        tasks.cancel_scope.cancel()
    assert [(card.confinement, card.weak) for card in seen] == [(held.words, held.weak)]


@pytest.mark.parametrize(("said", "means"), [({CONSENT_ENV: "1"}, True), ({CONSENT_ENV: "0"}, False), ({}, False)])
def test_consent_is_given_by_one_word(said: dict[str, str], means: bool) -> None:
    """Anything else is none."""
    assert consented(said) is means
