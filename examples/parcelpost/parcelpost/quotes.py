"""The answer: a quote with every line that led to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from parcelpost.discounts import Voucher, percent_of, quantity_percent
from parcelpost.parcels import Parcel
from parcelpost.surcharges import surcharges
from parcelpost.tariffs import Tariff
from parcelpost.zones import Zone, zone_of


@dataclass(frozen=True)
class Line:
    """One line of a quote; `cents` is negative for what is taken off."""

    text: str
    cents: int


@dataclass(frozen=True)
class Quote:
    """What a shipment costs."""

    tariff: str
    zone: Zone
    lines: tuple[Line, ...]

    @property
    def total_cents(self) -> int:
        """The sum of all lines."""
        return sum(line.cents for line in self.lines)


def quote(tariff: Tariff, parcels: Sequence[Parcel], postcode: str, voucher: Voucher | None = None) -> Quote:
    """What it costs to send `parcels` to `postcode`.

    Raises:
        ValueError: there is nothing to send, a parcel is too heavy, or the postcode is none.
        VoucherError: the voucher is for dearer shipments.
    """
    if not parcels:
        raise ValueError("nothing to send")
    zone = zone_of(postcode)
    lines: list[Line] = []
    postage = 0
    for number, parcel in enumerate(parcels, start=1):
        cents = tariff.price_cents(parcel.chargeable_g, zone)
        postage += cents
        band = tariff.band_for(parcel.chargeable_g)
        lines.append(Line(f"parcel {number}: {tariff.name} {band.name}", cents))
        lines += [Line(f"parcel {number}: {extra.reason}", extra.cents) for extra in surcharges(parcel)]
    percent = quantity_percent(len(parcels))
    if percent:
        lines.append(Line(f"{percent} % for {len(parcels)} parcels", -percent_of(postage, percent)))
    if voucher:
        total = sum(line.cents for line in lines)
        lines.append(Line(f"voucher {voucher.code}", -voucher.off(total)))
    return Quote(tariff.name, zone, tuple(lines))


def cheapest(tariffs: Sequence[Tariff], parcels: Sequence[Parcel], postcode: str) -> Quote:
    """The lowest quote; of equal ones the first."""
    return min((quote(tariff, parcels, postcode) for tariff in tariffs), key=lambda each: each.total_cents)
