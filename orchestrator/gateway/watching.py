"""Which resources of a member somebody wants to hear of: the member is asked to tell, once for all of them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

import anyio
from mcp import MCPError
from mcp_types import METHOD_NOT_FOUND

from orchestrator.gateway.upstream import ENVELOPE, Upstream

log = logging.getLogger(__name__)


class Watching:
    """Counts who watches what; what is not watched any more is given up."""

    def __init__(self, upstream: Upstream, member: str) -> None:
        self._upstream = upstream
        self._member = member
        self._watchers = Counter[str]()
        self._asking = anyio.Lock()

    async def add(self, uri: str) -> None:
        """Somebody wants to hear of `uri`.

        Raises:
            MCPError: the member does not know it.
        """
        async with self._asking:
            if uri not in self._watchers:
                await self._ask("resources/subscribe", uri)
            self._watchers[uri] += 1

    async def drop(self, uri: str) -> None:
        """Somebody does not any more."""
        async with self._asking:
            self._watchers -= Counter({uri: 1})  # what nobody counts any more is gone from it
            if uri not in self._watchers:
                try:
                    await self._ask("resources/unsubscribe", uri)
                except MCPError as wrong:
                    log.info("%s goes on telling of %s: %s", self._member, uri, wrong)

    @asynccontextmanager
    async def all(self, uris: Iterable[str]) -> AsyncGenerator[None]:
        """Hear of these for as long as the block runs, as far as the member knows them."""
        added: list[str] = []
        try:
            for uri in dict.fromkeys(uris):
                try:
                    await self.add(uri)
                    added.append(uri)
                except MCPError as wrong:
                    log.info("%s does not tell of %s: %s", self._member, uri, wrong)
            yield
        finally:
            with anyio.CancelScope(shield=True):
                for uri in added:
                    await self.drop(uri)

    async def _ask(self, method: str, uri: str) -> None:
        try:
            await self._upstream.request(self._member, method, {"uri": uri, "_meta": ENVELOPE})
        except MCPError as wrong:
            if wrong.error.code != METHOD_NOT_FOUND:  # a member that tells unasked has no such method
                raise
