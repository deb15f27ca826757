"""What asking models cost, in words."""

from __future__ import annotations

from decimal import Decimal

from contracts.spending import Spending
from orchestrator.text import count


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
