"""What tokens cost."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from contracts.config import Price, PriceTable
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
    """US dollars; None: unknown."""
    if price is None:
        return None
    return (
        usage.input_tokens * price.input
        + usage.output_tokens * price.output
        + usage.cache_read_tokens * price.cache_read
        + usage.cache_write_tokens * price.cache_write
    ) / _MILLION


def worst_cost(input_tokens: int, output_tokens: int, price: Price | None) -> Decimal | None:
    """The most a request may cost, in US dollars: all of its input written to the cache, all output allowed used."""
    if price is None:
        return None
    return (input_tokens * max(price.input, price.cache_write) + output_tokens * price.output) / _MILLION
