"""What asking models came to: tokens as endpoints count them, money where the price is known, secrets kept back."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from contracts.base import Model

MOST_USD = 1_000_000
"""No run may spend more, whatever is asked for; nor does any million of tokens cost more."""


class Usage(Model):
    """Tokens, as the Messages API counts them (`usage` of a message)."""

    input_tokens: int = Field(default=0, ge=0, description="Read anew, neither from nor into the cache.")
    output_tokens: int = Field(default=0, ge=0)
    cache_read_tokens: int = Field(default=0, ge=0)
    cache_write_tokens: int = Field(default=0, ge=0)

    @property
    def total(self) -> int:
        """All of them."""
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_write_tokens


class Spending(Model):
    """What some requests to models came to together."""

    requests: int = Field(default=0, ge=0, description="Requests an endpoint took up, answered or broken off.")
    usage: Usage = Usage()
    cost_usd: Decimal | None = Field(default=Decimal(0), description="None: unknown, for a model without a price.")
    masked: tuple[str, ...] = Field(
        default=(), description="Kinds of secrets that were masked before they left, sorted."
    )

    def plus(self, other: Spending) -> Spending:
        """Both together; unknown and anything is unknown."""
        known = self.cost_usd is not None and other.cost_usd is not None
        return Spending(
            requests=self.requests + other.requests,
            usage=Usage(
                input_tokens=self.usage.input_tokens + other.usage.input_tokens,
                output_tokens=self.usage.output_tokens + other.usage.output_tokens,
                cache_read_tokens=self.usage.cache_read_tokens + other.usage.cache_read_tokens,
                cache_write_tokens=self.usage.cache_write_tokens + other.usage.cache_write_tokens,
            ),
            cost_usd=(self.cost_usd or Decimal(0)) + (other.cost_usd or Decimal(0)) if known else None,
            masked=tuple(sorted({*self.masked, *other.masked})),
        )


NOTHING = Spending()


class Paid(Model):
    """A result that says what it cost."""

    spent: Spending = NOTHING


class Allowance(Model):
    """Ceilings on asking models; what is None has none. A request that could go over one is not made."""

    usd: Decimal | None = Field(
        default=None, ge=0, le=MOST_USD, description="US dollars; needs a model with a known price."
    )
    tokens: int | None = Field(default=None, ge=0, description="Input, output and cache together.")
    calls: int | None = Field(default=None, ge=0, description="Requests that a model endpoint took up.")
    wall_s: float | None = Field(default=None, gt=0, description="Wall seconds of work, people's waiting excluded.")

    def replaced(self, named: Allowance) -> Allowance:
        """These ceilings, with those that `named` has instead."""
        return self.model_copy(update=named.model_dump(exclude_none=True))
