"""What tokens cost."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from contracts.config import Price, PriceTable, Rates
from contracts.spending import Usage

_MILLION = Decimal(1_000_000)
_DATE = re.compile(r"-\d{8}$")


def price_of(model: str, own: Mapping[str, Price], table: PriceTable) -> tuple[Price | None, str]:
    """The price of `model`, and the table's date; `own` prices come first and have none.

    A dated name (`…-20251001`) falls back to the one without its date. No price: unknown, which is not nothing.
    """
    for name in dict.fromkeys((model, _DATE.sub("", model))):
        if name in own:
            return own[name], ""
        if name in table.models:
            return table.models[name], table.as_of.isoformat()
    return None, ""


def cost(usage: Usage, price: Price | None) -> Decimal | None:
    """US dollars of one request; None: unknown."""
    if price is None:
        return None
    rates = _rates(price, usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens)
    return (
        usage.input_tokens * rates.input
        + usage.output_tokens * rates.output
        + usage.cache_read_tokens * rates.cache_read
        + usage.cache_write_tokens * rates.cache_write
    ) / _MILLION


def worst_cost(input_tokens: int, output_tokens: int, price: Price | None) -> Decimal | None:
    """The most a request may cost, in US dollars: all of its input written to the cache, all output allowed used."""
    if price is None:
        return None
    rates = _rates(price, input_tokens)
    return (input_tokens * max(rates.input, rates.cache_write) + output_tokens * rates.output) / _MILLION


def _rates(price: Price, prompt_tokens: int) -> Rates:
    long = price.long_prompt
    return long if long is not None and prompt_tokens > long.over_tokens else price
