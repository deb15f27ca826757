"""How much one caller may do: requests a second, and requests at once."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from mcp.server.auth.provider import principal_components
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator.gateway.bearer import token_of
from orchestrator.gateway.http.refusal import later

_KNOWN = 10_000
"""Callers that are remembered at once; whoever was not heard of for longest is forgotten."""


@dataclass(frozen=True)
class Allowance:
    """What one caller may do."""

    per_s: float = 50.0
    burst: int = 200
    """Requests that may come at once after a silence."""
    at_once: int = 64
    """Requests under way, streams that are open included."""


class Rates:
    """A bucket of tokens for each caller (who is only ever a key here)."""

    def __init__(self, allowance: Allowance, now: Callable[[], float] = time.monotonic) -> None:
        self._allowance = allowance
        self._now = now
        self._buckets = OrderedDict[str, tuple[float, float]]()

    def take(self, who: str) -> float:
        """Take one; 0, or in how many seconds there is one again."""
        now, rate, most = self._now(), self._allowance.per_s, float(self._allowance.burst)
        left, at = self._buckets.get(who, (most, now))
        left = min(most, left + (now - at) * rate)
        self._buckets[who] = (left - 1 if left >= 1 else left, now)
        self._buckets.move_to_end(who)
        if len(self._buckets) > _KNOWN:
            self._buckets.popitem(last=False)
        return 0.0 if left >= 1 else (1 - left) / rate


class Limited:
    """Keeps every caller to an allowance. A caller is whom the token stands for; without a valid one, an address."""

    def __init__(self, app: ASGIApp, allowance: Allowance) -> None:
        self._app = app
        self._allowance = allowance
        self._rates = Rates(allowance)
        self._under_way = Counter[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        who = _caller(scope)
        if (wait_s := self._rates.take(who)) > 0:
            refused = later(429, "too_many_requests", f"more than {self._allowance.per_s:g} requests a second", wait_s)
            await refused(scope, receive, send)
            return
        if self._under_way[who] >= self._allowance.at_once:
            refused = later(503, "busy", f"{self._allowance.at_once} requests of yours are under way", 1)
            await refused(scope, receive, send)
            return
        self._under_way[who] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way -= Counter({who: 1})  # what nobody counts any more is gone from it


def _caller(scope: Scope) -> str:
    if (token := token_of(HTTPConnection(scope))) is not None:
        return repr(principal_components(token))
    client = scope.get("client")
    return client[0] if client else ""
