"""model: the one specialist that holds keys of model endpoints, and the only one that asks them.

Messages and a JSON Schema go in, a validated reply comes out, with what it cost. What leaves is scanned for secrets;
what a run may spend is checked before every request; nothing that is said or stored holds a key.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import ClassVar

import anyio
from anyio import to_thread
from pydantic import JsonValue

from bus.lives import MAX_DEATHS
from contracts.config import ModelsConfig, PriceTable
from contracts.endpoint import shown
from contracts.failure import Failure
from contracts.manifest import Manifest
from contracts.model import CompleteParams, CompleteResult, DescribeParams, DescribeResult, Turn, Way
from contracts.run import RunStartedEvent
from contracts.spending import Spending, Usage
from servers.deadline import DEADLINE_S
from servers.minds.asking import Answer, Asking, Asks, Terms, longest_s
from servers.minds.config import Chosen, choose, known_of, models_of, price_table, secrets_of
from servers.minds.heard import Heard
from servers.minds.prices import cost, price_of, worst_cost
from servers.minds.purse import Estimate, Held, Purse
from servers.minds.reply import Request, violation
from servers.minds.secrets import Mask
from servers.specialist import Call, Room, ToolError, tool

log = logging.getLogger(__name__)

GIVE_UP_AFTER = MAX_DEATHS - 1
"""Deaths after which nothing is asked any more: after the next one the bus answers, and knows nothing of costs."""

PROGRESS_S = 0.5
"""Between two words on how far a reply is."""
MAX_WHY = 200
"""Characters of a reason in such a word."""

REFUSED = 'Take them out of what it is shown, or have them masked: secrets = "mask" in models.toml.'

Sleep = Callable[[float], Awaitable[None]]


class ModelServer:
    """Structured replies of language models."""

    manifest: ClassVar[Manifest] = Manifest(
        name="model",
        title="Model",
        description="Asks language models for structured replies, within the run's budget. It alone holds keys.",
        scopes=("net:model",),
    )

    def __init__(
        self,
        room: Room,
        *,
        models: ModelsConfig | None = None,
        prices: PriceTable | None = None,
        sleep: Sleep = anyio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._room = room
        self._models = models or models_of(room.keys)
        self._prices = prices or price_table()
        self._sleep = sleep
        self._chance = chance
        self._purse = Purse(room.ledger) if room.ledger is not None else None
        self._way_known: dict[tuple[str, str], Way] = {}
        """By endpoint and model: the first way that was not found to be ignored or refused; it is tried first."""
        self.longest_s = DEADLINE_S + max(map(longest_s, self._models.endpoints.values()), default=0.0)
        """Past that, what a reply has cost would be lost; so it is more than any can take."""

    @tool(open_world=True, deadline_s=lambda server, _: server.longest_s)
    async def complete(self, params: CompleteParams, call: Call) -> CompleteResult:
        """Ask the model of a role for one reply that fits a JSON Schema."""
        began = time.monotonic()
        started = await self._started(params.run)
        chosen = choose(self._models, params.role, started.task.models, self._room.keys)
        if chosen.why_not:
            raise ToolError("unavailable", f"{chosen.model} cannot be asked: {chosen.why_not}", way_out=chosen.way_out)
        mask = Mask(secrets_of(self._room.keys, self._models))
        most = known_of(self._models, chosen.model).max_tokens
        params = params if most is None else params.model_copy(update={"max_tokens": most})
        violation({}, params.reply_schema)  # what is no schema is found out before it costs anything
        request = await to_thread.run_sync(_request, params, mask)
        if mask.met and self._models.secrets == "refuse":
            raise ToolError("denied", f"not asked: it would be shown secrets ({', '.join(mask.met)})", way_out=REFUSED)
        assert self._purse is not None  # `_started` saw a ledger
        terms = self._terms(params, started, chosen, self._purse, mask, call)
        lost = await self._purse.lose(params.run, call.caller, terms.estimate(request), call.life.number - 1)
        asking = Asking(await to_thread.run_sync(_open, chosen), terms, spent=lost, requests=lost.requests)
        if call.life.deaths >= GIVE_UP_AFTER:
            answer = Answer("unavailable", chosen.config.structured[0], failure=_given_up(call.life.deaths))
        else:
            answer = await self._answer(asking, request, chosen)
        if answer.outcome == "unavailable" and answer.failure is not None and not asking.spent.requests:
            failed = answer.failure
            raise ToolError(failed.kind, failed.message, retry=failed.retry, way_out=failed.way_out)
        return self._result(params, chosen, asking, answer, mask, time.monotonic() - began)

    @tool(read_only=True)
    async def describe(self, params: DescribeParams, call: Call) -> DescribeResult:
        """Say which model a role is, and whether it can be asked."""
        started = await self._started(params.run)
        chosen = choose(self._models, params.role, started.task.models, self._room.keys)
        known = known_of(self._models, chosen.model)
        return DescribeResult(
            endpoint=chosen.endpoint,
            model=chosen.model,
            ready=not chosen.why_not,
            why_not=chosen.why_not,
            way_out=chosen.way_out,
            form=known.form,
            context_tokens=known.context_tokens,
        )

    async def _started(self, run: str) -> RunStartedEvent:
        if self._room.ledger is None:
            raise ToolError(
                "denied", "the model server cannot see what a run may spend", way_out="Grant it net:model in crew.toml."
            )
        started = await self._room.ledger.run_started(run)
        if started is None:
            raise ToolError("invalid", f"the ledger knows no run {run}", way_out="Models are asked for runs only.")
        return started

    async def _answer(self, asking: Asking, request: Request, chosen: Chosen) -> Answer:
        """What asking comes to; once something was spent, whatever goes wrong is an answer with its cost, too."""
        try:
            answer = await asking.answer(request, self._ways(chosen))
        except Exception as wrong:
            if not asking.spent.requests:
                raise
            log.exception("an answer of %s was lost", chosen.model)
            failure = Failure(kind="internal", message=f"a defect in model: {wrong!r}")
            return Answer("unavailable", chosen.config.structured[0], failure=failure)
        self._way_known[chosen.endpoint, chosen.model] = answer.way
        return answer

    def _ways(self, chosen: Chosen) -> tuple[Way, ...]:
        ways = chosen.config.structured
        known = self._way_known.get((chosen.endpoint, chosen.model))
        return ways[ways.index(known) :] if known in ways else ways

    def _terms(
        self, params: CompleteParams, started: RunStartedEvent, chosen: Chosen, purse: Purse, mask: Mask, call: Call
    ) -> Terms:
        price, _ = price_of(chosen.model, self._models.prices, self._prices)

        def hold(estimate: Estimate) -> AbstractAsyncContextManager[Held]:
            return purse.holding(params.run, call.caller, started.workflow.budgets, estimate)

        def estimate(request: Request) -> Estimate:
            most, max_tokens = request.most_tokens, request.max_tokens
            return Estimate(most, max_tokens, worst_cost(most, max_tokens, price))

        def settle(usage: Usage) -> Spending:
            return Spending(requests=1, usage=usage, cost_usd=cost(usage, price))

        return Terms(
            endpoint=f"{chosen.endpoint} at {shown(chosen.base_url)}",
            max_retries=chosen.config.max_retries,
            hold=hold,
            estimate=estimate,
            settle=settle,
            clean=mask.own_keys,
            on_heard=_telling(call, chosen.model, params.max_tokens),
            on_wait=_waiting(call, chosen.model, params.max_tokens),
            sleep=self._sleep,
            chance=self._chance,
        )

    def _result(
        self, params: CompleteParams, chosen: Chosen, asking: Asking, answer: Answer, mask: Mask, duration_s: float
    ) -> CompleteResult:
        temperature = chosen.config.temperature
        _, priced_at = price_of(chosen.model, self._models.prices, self._prices)
        return CompleteResult(
            run=params.run,
            outcome=answer.outcome,
            reply=answer.reply,
            text=answer.text,
            attempts=tuple(asking.attempts),
            failure=answer.failure,
            endpoint=chosen.endpoint,
            model=chosen.model,
            way=answer.way,
            stop_reason=answer.stop_reason,
            sampling={} if temperature is None else {"temperature": temperature},
            priced_at=priced_at,
            retries=max(0, asking.requests - 1),
            duration_s=duration_s,
            spent=asking.spent.model_copy(update={"masked": tuple(sorted(mask.met))}),
        )


def _given_up(times: int) -> Failure:
    message = f"given up: the model server ended {times} times while it worked on this call"
    return Failure(kind="internal", message=message, way_out="See its log, and begin another run.")


def _open(chosen: Chosen) -> Asks:
    """The endpoint. The first one imports the client, which takes a second: not in the event loop."""
    from servers.minds.endpoint import Endpoint

    return Endpoint(chosen)


def _request(params: CompleteParams, mask: Mask) -> Request:
    schema: dict[str, JsonValue] = {name: mask.within(value) for name, value in params.reply_schema.items()}
    return Request(
        system=mask.text(params.system),
        turns=tuple(Turn(role=turn.role, text=mask.text(turn.text)) for turn in params.turns),
        reply_name=params.reply_name,
        schema=schema,
        way="schema",
        max_tokens=params.max_tokens,
    )


def _telling(call: Call, model: str, max_tokens: int) -> Callable[[Heard], Awaitable[None]]:
    """Tells the caller how far the reply is, from time to time."""
    last = float("-inf")

    async def tell(heard: Heard) -> None:
        nonlocal last
        now = anyio.current_time()
        if now - last >= PROGRESS_S:
            last = now
            done = heard.output_estimate
            await call.progress(done, max_tokens, f"{model}: about {done:,} tokens")

    return tell


def _waiting(call: Call, model: str, max_tokens: int) -> Callable[[float, str], Awaitable[None]]:
    """Tells the caller that a request is going to be repeated."""

    async def tell(seconds: float, why: str) -> None:
        await call.progress(0, max_tokens, f"{model}: {why[:MAX_WHY]}; asked again in {seconds:.0f} s")

    return tell
