"""What asking models cost, in words."""

from __future__ import annotations

from decimal import Decimal

from rich.text import Text

from contracts.spending import Spending
from orchestrator.text import count, line


def money(cost: Decimal | None) -> str:
    """`$0.0042`, `$12.30`; `unknown` for a model without a price."""
    if cost is None:
        return "unknown"
    return f"${cost:.2f}" if cost >= 1 or not cost else f"${cost:.4f}"


def spent(spending: Spending) -> str:
    """`3 requests, 5,120 tokens, $0.0042`; `cost unknown` for a model without a price."""
    if not spending.requests:
        return "nothing"
    cost = "cost unknown" if spending.cost_usd is None else money(spending.cost_usd)
    return f"{count(spending.requests, 'request')}, {spending.usage.total:,} tokens, {cost}"


def masked(spending: Spending) -> list[Text]:
    """A line that says which kinds of secrets were kept back; none where there were none."""
    kinds = line(", ".join(spending.masked))
    return [Text(f"Secrets were masked in what models were shown: {kinds}.", "yellow")] if kinds else []
