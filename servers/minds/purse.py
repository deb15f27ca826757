"""Budgets: nothing is asked that could cost more than the run, or this agent of it, may still spend.

What was spent is folded once from this server's own answers in the ledger, and then kept in memory. A request's worst
case is held while it is under way, so that requests at the same time cannot overdraw together.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal

import anyio
from pydantic import BaseModel, ValidationError

from contracts.spending import NOTHING, Allowance, Spending, Usage
from contracts.workflow import Budgets
from servers.specialist import OwnLedger, ToolError

_NO_PRICE = "The model has no known price: add one to [prices] in models.toml, or limit tokens instead of money."


@dataclass(frozen=True)
class Estimate:
    """The most one request could cost."""

    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None
    """None: unknown."""

    @property
    def spending(self) -> Spending:
        """As if it had been spent."""
        usage = Usage(input_tokens=self.input_tokens, output_tokens=self.output_tokens)
        return Spending(requests=1, usage=usage, cost_usd=self.cost_usd)

    def __str__(self) -> str:
        cost = "an unknown sum" if self.cost_usd is None else money(self.cost_usd)
        return f"{cost} ({self.input_tokens:,} tokens in, {self.output_tokens:,} out)"


@dataclass(eq=False)
class Held:
    """A request under way; `spent` is what it turned out to cost."""

    estimate: Estimate
    spent: Spending = NOTHING


class _Answer(BaseModel):
    """A stored answer of `complete`, as far as it is used here."""

    run: str
    spent: Spending


class Purse:
    """What every run has spent on models, by agent."""

    def __init__(self, ledger: OwnLedger) -> None:
        self._ledger = ledger
        self._spent: dict[str, dict[str, Spending]] = {}
        self._held: dict[tuple[str, str], list[Held]] = {}
        self._recalled = False
        self._recalling = anyio.Lock()

    @asynccontextmanager
    async def holding(self, run: str, agent: str, budgets: Budgets, estimate: Estimate) -> AsyncGenerator[Held]:
        """Hold `estimate` for one request of `agent`; on leaving, what was spent instead counts.

        Raises:
            ToolError: budget, when the run's or the agent's allowance could be exceeded.
        """
        await self._recall()
        self._check(run, None, budgets.model, estimate)
        if agent in budgets.agents:
            self._check(run, agent, budgets.agents[agent], estimate)
        held = Held(estimate)
        self._held.setdefault((run, agent), []).append(held)
        try:
            yield held
        finally:
            self._held[run, agent].remove(held)
            self._add(run, agent, held.spent)

    async def lose(self, run: str, agent: str, estimate: Estimate, times: int) -> Spending:
        """Count `times` requests of `agent` at their worst, of which nobody can say any more what they cost."""
        await self._recall()
        lost = _sum([estimate.spending] * times)
        self._add(run, agent, lost)
        return lost

    def _check(self, run: str, agent: str | None, allowance: Allowance, estimate: Estimate) -> None:
        spent = _sum(each for who, each in self._spent.get(run, {}).items() if agent in (None, who))
        held = [
            each.estimate.spending
            for (of, who), all_held in self._held.items()
            for each in all_held
            if of == run and agent in (None, who)
        ]
        after = _sum((spent, *held, estimate.spending))
        limits: list[str] = []
        if allowance.calls is not None and after.requests > allowance.calls:
            limits.append(f"{allowance.calls} requests")
        if allowance.tokens is not None and after.usage.total > allowance.tokens:
            limits.append(f"{allowance.tokens:,} tokens")
        if allowance.usd is not None and (after.cost_usd is None or after.cost_usd > allowance.usd):
            limits.append(money(allowance.usd))
        if not limits:
            return
        whose = "the run" if agent is None else agent
        waiting = f", {len(held)} more under way" if held else ""
        unknown = allowance.usd is not None and after.cost_usd is None
        raise ToolError(
            "budget",
            f"not asked: the next request could cost {estimate}, and {whose} may spend {' and '.join(limits)} in all; "
            f"spent so far: {self._told(run)}{waiting}",
            way_out=_NO_PRICE if unknown else _raise_it(agent),
        )

    def _told(self, run: str) -> str:
        spent = self._spent.get(run, {})
        if not spent:
            return "nothing"
        by_agent = ", ".join(f"{agent} {told(each)}" for agent, each in sorted(spent.items()))
        return f"{told(_sum(spent.values()))}, of that {by_agent}"

    def _add(self, run: str, agent: str, spent: Spending) -> None:
        if spent.requests:
            agents = self._spent.setdefault(run, {})
            agents[agent] = agents.get(agent, NOTHING).plus(spent)

    async def _recall(self) -> None:
        async with self._recalling:
            if self._recalled:
                return
            found: list[tuple[str, _Answer]] = []
            async for agent, content in self._ledger.own_results():
                if "spent" not in content:
                    continue
                try:
                    found.append((agent, _Answer.model_validate(content)))
                except ValidationError as error:
                    raise ToolError(
                        "internal", f"a stored answer does not say what it cost, and for whom: {error}"
                    ) from error
            for agent, answer in found:
                self._add(answer.run, agent, answer.spent)
            self._recalled = True


def _sum(of: Iterable[Spending]) -> Spending:
    total = NOTHING
    for each in of:
        total = total.plus(each)
    return total


def _raise_it(agent: str | None) -> str:
    where = "[budgets.model]" if agent is None else f"[budgets.agents.{agent}]"
    command = ", or with --budget-usd or --budget-tokens" if agent is None else ""
    return f"A run keeps the budget it began with: begin another, with more in {where} of podium.toml{command}."


def told(spent: Spending) -> str:
    """Spending in words."""
    cost = "an unknown sum" if spent.cost_usd is None else money(spent.cost_usd)
    requests = f"{spent.requests} request{'' if spent.requests == 1 else 's'}"
    return f"{cost} ({requests}, {spent.usage.total:,} tokens)"


def money(usd: Decimal) -> str:
    """US dollars, to the cent, or to four places below ten cents; never less than it is."""
    places = Decimal("0.01") if usd >= Decimal("0.1") or usd == 0 else Decimal("0.0001")
    return f"${usd.quantize(places, rounding=ROUND_UP)}"
