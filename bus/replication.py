"""Who holds a stream in a cluster: who leads it, and how far the others are behind."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bus.bus import Bus
from bus.errors import BusUnavailable

_ANSWER_S = 2.0


@dataclass(frozen=True)
class Held:
    """One stream, as its leader sees it."""

    stream: str
    leader: str = ""
    """Name of a node; empty where nobody leads now, or a single broker holds it."""
    behind: Mapping[str, int] = field(default_factory=dict[str, int])
    """How many messages each other node lacks; -1 for one that does not answer."""


async def held(bus: Bus, streams: Iterable[str]) -> tuple[Held, ...]:
    """Where `streams` are held, for who may read them whole; what is not there, or leads nowhere, has no leader."""
    return tuple([await _held(bus, stream) for stream in streams])


async def _held(bus: Bus, stream: str) -> Held:
    try:
        answer = await bus.request(f"$JS.API.STREAM.INFO.{stream}", b"", timeout_s=_ANSWER_S)
    except BusUnavailable:
        return Held(stream)
    said: dict[str, Any] = json.loads(answer.body)
    cluster: dict[str, Any] = said.get("cluster") or {}
    others: list[dict[str, Any]] = cluster.get("replicas") or []
    behind = {
        str(one["name"]): int(one.get("lag", 0)) if one.get("current") and not one.get("offline") else -1
        for one in others
    }
    return Held(stream, cluster.get("leader", "") if behind else "", behind)
