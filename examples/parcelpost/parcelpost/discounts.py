"""What is taken off again: for many parcels at once, and by voucher."""

from __future__ import annotations

from dataclasses import dataclass

QUANTITY_PERCENT = ((50, 15), (20, 10), (5, 4))
"""From so many parcels on, so many per cent off the postage; the most first."""


class VoucherError(ValueError):
    """A voucher that cannot be used."""


@dataclass(frozen=True)
class Voucher:
    """An amount off, if the shipment costs enough."""

    code: str
    cents: int
    from_cents: int = 0

    def off(self, total_cents: int) -> int:
        """What it takes off `total_cents`; never more than there is to pay.

        Raises:
            VoucherError: the shipment costs too little for it.
        """
        if total_cents < self.from_cents:
            raise VoucherError(f"{self.code} is for shipments from {self.from_cents} cents")
        return min(self.cents, total_cents)


def quantity_percent(parcels: int) -> int:
    """Per cent off for so many parcels."""
    for least, percent in QUANTITY_PERCENT:
        if parcels >= least:
            return percent
    return 0


def percent_of(cents: int, percent: int) -> int:
    """A part of an amount, rounded down to a cent: the customer is never given a fraction."""
    return cents * percent // 100
