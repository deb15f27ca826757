"""One structured reply: which way it is asked for, when it is asked for again, and when it is given up.

At most `max_retries` requests are repeated for the endpoint's sake (it is busy, or broke off; a time-out only once),
one for the reply's sake (it does not fit its schema), and one for each way that turns out not to work.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Protocol, cast

from bus.crash import crash_point
from contracts.config import EndpointConfig
from contracts.failure import Failure
from contracts.model import Attempt, ReplyOutcome, Way
from contracts.spending import NOTHING, Spending, Usage
from servers.minds.heard import Heard
from servers.minds.purse import Estimate, Held
from servers.minds.reply import Found, Request, Schema, find, is_about, once_more
from servers.minds.trouble import Trouble
from servers.specialist import ToolError

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
LONGEST_ASKED_WAIT_S = 120.0
"""An endpoint that asks to wait for longer is not waited for."""

_CHARS_PER_TOKEN = 16
"""More characters per token than any text has; past that an endpoint does not keep to `max_tokens`."""
_SPARE_CHARS = 16_000
_MAX_TEXT = 100_000
_MAX_MESSAGE = 600


def longest_s(endpoint: EndpointConfig) -> float:
    """How long one reply of an endpoint can take at most."""
    requests = 2 + endpoint.max_retries + len(endpoint.structured)
    return requests * endpoint.timeout_s + endpoint.max_retries * (LONGEST_ASKED_WAIT_S + LONGEST_WAIT_S)


class Asks(Protocol):
    """One endpoint; see `servers.minds.endpoint.Endpoint`."""

    async def ask(self, request: Request, heard: Heard, on_heard: Callable[[Heard], Awaitable[None]]) -> None:
        """Send one request and take the answer into `heard`.

        Raises:
            Trouble: there is no whole answer.
        """
        ...


@dataclass(frozen=True)
class Terms:
    """What one reply is asked under."""

    endpoint: str
    """Its name and address, as people are told them."""
    max_retries: int
    hold: Callable[[Estimate], AbstractAsyncContextManager[Held]]
    """Holds what a request could cost; raises `ToolError` (budget) when that is too much."""
    estimate: Callable[[Request], Estimate]
    settle: Callable[[Usage], Spending]
    clean: Callable[[str], str]
    """Masks keys in what came: some servers say what they were sent."""
    on_heard: Callable[[Heard], Awaitable[None]]
    on_wait: Callable[[float, str], Awaitable[None]]
    """Told before a request is repeated: seconds until then, and why."""
    sleep: Callable[[float], Awaitable[None]]
    chance: Callable[[], float]


@dataclass(frozen=True)
class Answer:
    """What came of it."""

    outcome: ReplyOutcome
    way: Way
    reply: Schema | None = None
    text: str = ""
    failure: Failure | None = None
    stop_reason: str = ""


@dataclass
class Asking:
    """Asks for one reply, and adds up what that costs."""

    endpoint: Asks
    terms: Terms
    spent: Spending = NOTHING
    """What the call has cost; at first, what it lost before it was delivered again."""
    requests: int = 0
    """Sent, whether an endpoint took them up or not."""
    attempts: list[Attempt] = field(default_factory=list[Attempt])
    """Those that were paid for and followed by another one."""
    _retries: int = 0
    _timeouts: int = 0
    _heard: Heard = field(default_factory=lambda: Heard(0, 0))

    async def answer(self, request: Request, ways: tuple[Way, ...]) -> Answer:
        """The reply, asked for in `ways`, one after the other until one works.

        Raises:
            ToolError: a budget does not allow the first request, or `request.schema` is no JSON Schema.
        """
        others = list(ways)
        way = others.pop(0)
        repaired = False
        while True:
            request = replace(request, way=way)
            try:
                await self._send(request)
            except Trouble as trouble:
                if others and (trouble.kind == "other way" or is_about(way, trouble.status, trouble.why)):
                    self._put_aside(request, trouble.why)
                    way = others.pop(0)
                    continue
                failure = trouble.failure(self.terms.endpoint, self.requests)
                return self._end("unavailable", way, failure, self._text(request))
            except ToolError as refused:
                if refused.failure.kind == "budget" and self.spent.requests:
                    return self._end("unavailable", way, refused.failure)
                raise
            text = self._text(request)
            if (stopped := _stopped(self._heard.stop_reason, request.max_tokens)) is not None:
                outcome, failure = stopped
                return self._end(outcome, way, failure, text)
            found = find(text, request.schema)
            if found.kind == "fits":
                return Answer("ok", way, reply=self._cleaned(found.value), stop_reason=self._stop_reason)
            if found.kind == "ignored" and others:
                self._put_aside(request, found.why)
                way = others.pop(0)
                continue
            if repaired:
                return self._end("invalid", way, _unfit(found), text)
            repaired = True
            shown, told = once_more(text, found.why, request)
            self._put_aside(request, found.why, told.text)
            request = replace(request, turns=(*request.turns, shown, told))

    async def _send(self, request: Request) -> None:
        """One request, and again as long as that may help; the answer is then in `_heard`."""
        while True:
            try:
                return await self._once(request)
            except Trouble as trouble:
                wait = self._wait(trouble)
                if wait is None:
                    raise
                self._put_aside(request, trouble.why)
                await self.terms.on_wait(wait, self.terms.clean(trouble.why))
            await self.terms.sleep(wait)

    async def _once(self, request: Request) -> None:
        async with self.terms.hold(self.terms.estimate(request)) as held:
            self._heard = Heard(request.size, most_chars=request.max_tokens * _CHARS_PER_TOKEN + _SPARE_CHARS)
            self.requests += 1
            try:
                crash_point("ask.before")
                await self.endpoint.ask(request, self._heard, self.terms.on_heard)
                crash_point("ask.after")
            finally:
                if self._heard.taken_up:
                    held.spent = self.terms.settle(self._heard.usage)
                    self.spent = self.spent.plus(held.spent)

    def _text(self, request: Request) -> str:
        return self.terms.clean(self._heard.reply(request.reply_name))

    def _put_aside(self, request: Request, why_not: str, told: str = "") -> None:
        """Keep what was paid for in vain; a request that no endpoint took up is none of that."""
        if self._heard.taken_up:
            why_not = self.terms.clean(why_not)[:_MAX_MESSAGE]
            text = self._text(request)[:_MAX_TEXT]
            self.attempts.append(Attempt(way=request.way, text=text, why_not=why_not, told=told))

    def _wait(self, trouble: Trouble) -> float | None:
        """Seconds until it is worth asking again; None when it is not."""
        if trouble.kind not in ("busy", "broken", "timeout") or self._retries >= self.terms.max_retries:
            return None
        if trouble.kind == "timeout":
            self._timeouts += 1
            if self._timeouts > 1:
                return None
        if trouble.after_s is not None and not trouble.after_s <= LONGEST_ASKED_WAIT_S:
            return None
        longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**self._retries)
        self._retries += 1
        return (trouble.after_s or 0.0) + longest * (0.5 + self.terms.chance() / 2)

    def _cleaned(self, reply: Schema | None) -> Schema | None:
        """The reply once more without keys: an escape in JSON hides one from whoever looks at the text."""
        if reply is None:
            return None
        text = json.dumps(reply, ensure_ascii=False)
        return reply if self.terms.clean(text) == text else cast(Schema, json.loads(self.terms.clean(text)))

    @property
    def _stop_reason(self) -> str:
        return self.terms.clean(self._heard.stop_reason)[:64]

    def _end(self, outcome: ReplyOutcome, way: Way, failure: Failure, text: str = "") -> Answer:
        # Cut afterwards: a key that lies across the cut would keep its beginning.
        clean = failure.model_copy(update={"message": self.terms.clean(failure.message)[:_MAX_MESSAGE]})
        return Answer(outcome, way, text=text[:_MAX_TEXT], failure=clean, stop_reason=self._stop_reason)


def _stopped(reason: str, max_tokens: int) -> tuple[ReplyOutcome, Failure] | None:
    """How a reply ended, if not by itself."""
    match reason:
        case "refusal":
            failure = Failure(
                kind="denied",
                message="the model declined to answer",
                way_out="Put it differently, or ask another model.",
            )
            return "refused", failure
        case "max_tokens" | "model_context_window_exceeded":
            message = f"the reply was not finished after {max_tokens:,} tokens ({reason})"
            way_out = "Raise its max_tokens ([models] in models.toml), or give it a smaller ticket."
            return "truncated", Failure(kind="limit", message=message, way_out=way_out)
        case _:
            return None


def _unfit(found: Found) -> Failure:
    message = f"the reply was not what was asked for, twice: {found.why}"
    return Failure(kind="invalid", message=message, way_out="Use a stronger model for this role.")
