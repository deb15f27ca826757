"""A request on its way through a server, and what happens with it until it is answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import get_args

import anyio
from mcp import MCPError
from mcp_types import INVALID_REQUEST, LoggingLevel

from bus.wire import JsonObject, as_object
from servers.bridge.mailbox import Mailbox

LEVELS: tuple[LoggingLevel, ...] = get_args(LoggingLevel)
_MOST_EVENTS = 10_000
"""Notifications of one request that wait for somebody to hear them; more are dropped."""


@dataclass(frozen=True)
class Told:
    """A notification that belongs to the request."""

    method: str
    params: JsonObject


@dataclass
class Question:
    """What a server of the handshake era asks its client in mid-call."""

    method: str
    params: JsonObject
    _settled: anyio.Event = field(default_factory=anyio.Event)
    _answer: JsonObject | MCPError | None = None

    def settle(self, answer: JsonObject | MCPError) -> None:
        """Answer it, or say that nobody will. The first word counts."""
        if self._answer is None:
            self._answer = answer
            self._settled.set()

    async def answered(self) -> JsonObject:
        """The answer.

        Raises:
            MCPError: there is none.
        """
        await self._settled.wait()
        assert self._answer is not None
        if isinstance(self._answer, MCPError):
            raise self._answer
        return self._answer


@dataclass(frozen=True)
class Done:
    """The end: a result, or an error."""

    outcome: JsonObject | Exception


Event = Told | Question | Done

Asker = tuple[str, str]
"""An identity of the bus, and for whom it asks: one gateway speaks for several people."""


class Flight:
    """One request of one caller. Whoever attends to it takes its events, in order."""

    def __init__(self, asker: Asker, token: str, capabilities: JsonObject, level: str) -> None:
        self.asker = asker
        self.token = token
        """The progress token under which the server speaks of it."""
        self.scope = anyio.CancelScope()
        self._capabilities = capabilities
        self._level = level
        self._open: list[Question] = []
        self._events = Mailbox[Event]()

    def can_answer(self, question: Question) -> bool:
        """Whether the caller said it could."""
        kind = question.method.partition("/")[0]
        able = as_object(self._capabilities.get(kind))
        if question.params.get("mode") == "url":
            return "url" in able
        return kind in self._capabilities

    def wants(self, level: object) -> bool:
        """Whether the caller asked for log messages of this level."""
        return self._level in LEVELS and level in LEVELS and LEVELS.index(level) >= LEVELS.index(self._level)

    def tell(self, told: Told) -> None:
        """The server has sent a notification."""
        if len(self._events) < _MOST_EVENTS:
            self._events.put(told)

    def ask(self, question: Question) -> None:
        """The server asks."""
        self._open.append(question)
        self._events.put(question)

    def land(self, outcome: JsonObject | Exception) -> None:
        """It is answered; nothing comes after that."""
        for question in self._open:
            question.settle(MCPError(INVALID_REQUEST, "the call is over"))
        self._events.put(Done(outcome))

    async def event(self) -> Event:
        """What happens next."""
        return await self._events.take()

    def cancel(self) -> None:
        """Nobody wants it any more; the server is told."""
        self.scope.cancel()
