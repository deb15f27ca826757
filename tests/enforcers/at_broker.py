"""The broker alone: raw connections to a real one, which ask it for every subject that a scope opens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bus.account import BrokerAccount, BrokerUser
from bus.broker import embedded_broker
from bus.grants import Permissions, permissions
from bus.identity import Identity, new_identity
from servers.enforced import Right, at_broker
from tests.bus.attacker import Attacker, attacker
from tests.enforcers.seen import WAYS, Seen, Way

NO_LIMIT = Permissions((">",), (">",))
"""Of an identity that the broker restricts in nothing."""


async def tried_at_broker(rights: Sequence[Right], folder: Path) -> dict[Right, Seen]:
    """Each right, under three keys of its own."""
    keys: dict[tuple[Right, Way], Identity] = {}
    for right in rights:
        keys |= {(right, way): new_identity(right.holder) for way in WAYS}
    users = {key.public: BrokerUser(key.public, _permitted(*who)) for who, key in keys.items()}
    found: dict[Right, Seen] = {}
    with embedded_broker(folder, BrokerAccount(users, "$nobodys")) as broker:
        for right in rights:
            through: dict[Way, Sequence[bool]] = {}
            for way in WAYS:
                async with attacker(broker.url, keys[right, way]) as raw:
                    through[way] = await _let_through(raw, at_broker(right))
            found[right] = Seen.of(through)
    return found


def _permitted(right: Right, way: Way) -> Permissions:
    crews = {"granted": right.granted, "withheld": right.withheld}
    return permissions(right.grant(crews[way])) if way in crews else NO_LIMIT


async def _let_through(raw: Attacker, subjects: Permissions) -> list[bool]:
    said = [not await raw.refused(publish=literal(one)) for one in subjects.publish]
    return said + [not await raw.refused(subscribe=one) for one in subjects.subscribe]


def literal(pattern: str) -> str:
    """A subject that `pattern` matches."""
    return ".".join("x" if part in ("*", ">") else part for part in pattern.split("."))
