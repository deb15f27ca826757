"""How a quote looks on paper."""

from __future__ import annotations

from parcelpost.quotes import Quote


def euros(cents: int) -> str:
    """`1234` as `12.34 €`."""
    sign = "-" if cents < 0 else ""
    whole, rest = divmod(abs(cents), 100)
    return f"{sign}{whole}.{rest:02d} €"


def render(quote: Quote) -> str:
    """The quote as a table, amounts aligned to the right."""
    rows = [(line.text, euros(line.cents)) for line in quote.lines]
    rows.append(("total", euros(quote.total_cents)))
    left = max(len(text) for text, _ in rows)
    right = max(len(amount) for _, amount in rows)
    return "\n".join(f"{text:<{left}}  {amount:>{right}}" for text, amount in rows)
