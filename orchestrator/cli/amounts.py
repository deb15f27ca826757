"""Amounts as people type them: tokens, money, and a model for each role."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import cast, get_args

import click

from contracts.model import Role
from contracts.spending import MOST_USD, Allowance

_TOKENS = re.compile(r"([0-9]+(?:\.[0-9]+)?)([kM]?)")
_FACTORS = {"": 1, "k": 1_000, "M": 1_000_000}


class Tokens(click.ParamType[int]):
    """`200000`, `500k`, `2M`."""

    name = "tokens"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """A number of tokens."""
        found = _TOKENS.fullmatch(str(value))
        if not found:
            self.fail(f"{value!r} is no number of tokens; write 200000, 500k or 2M.", param, ctx)
        return int(Decimal(found[1]) * _FACTORS[found[2]])


class Usd(click.ParamType[Decimal]):
    """`2`, `0.50`."""

    name = "usd"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """An amount of US dollars."""
        try:
            amount = Decimal(str(value).removeprefix("$"))
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite() or amount < 0:
            self.fail(f"{value!r} is no amount of money; write 2 or 0.50.", param, ctx)
        if amount > MOST_USD:
            self.fail(f"{value!r} is more than any run may spend: {MOST_USD:,} at most.", param, ctx)
        return amount


class Models(click.ParamType[dict[str, str]]):
    """`planner=…,writer=…`."""

    name = "role=model"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, str]:
        """A model's name, with its endpoint or without, by role."""
        if isinstance(value, dict):
            return cast("dict[str, str]", value)
        pairs = [each.partition("=") for each in str(value).split(",")]
        roles = get_args(Role)
        if any(role not in roles or not model for role, _, model in pairs):
            self.fail(f"write ROLE=MODEL; the roles are {', '.join(roles)}.", param, ctx)
        return {role: model for role, _, model in pairs}


def allowance(usd: Decimal | None, tokens: int | None, calls: int | None, minutes: float | None) -> Allowance:
    """What was typed of the budgets; the rest has no ceiling."""
    return Allowance(usd=usd, tokens=tokens, calls=calls, wall_s=None if minutes is None else minutes * 60)


TOKENS, USD, MODELS = Tokens(), Usd(), Models()
