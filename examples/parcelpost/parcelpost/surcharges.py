"""What comes on top of the postage."""

from __future__ import annotations

from dataclasses import dataclass

from parcelpost.parcels import Parcel

BULKY_CENTS = 2_300
FRAGILE_CENTS = 450
INSURED_UP_TO_CENTS = 50_000
"""Value that every parcel is insured for without asking."""
INSURANCE_STEP_CENTS = 50_000
INSURANCE_PER_STEP_CENTS = 600


@dataclass(frozen=True)
class Surcharge:
    """One reason to pay more."""

    reason: str
    cents: int


def insurance_cents(value_cents: int) -> int:
    """What it costs to insure a value: one fee for every begun step above the free part."""
    above = value_cents - INSURED_UP_TO_CENTS
    if above <= 0:
        return 0
    steps = -(-above // INSURANCE_STEP_CENTS)
    return steps * INSURANCE_PER_STEP_CENTS


def surcharges(parcel: Parcel) -> tuple[Surcharge, ...]:
    """Everything that applies to `parcel`."""
    found: list[Surcharge] = []
    if parcel.is_bulky:
        found.append(Surcharge("bulky", BULKY_CENTS))
    if parcel.fragile:
        found.append(Surcharge("fragile", FRAGILE_CENTS))
    insurance = insurance_cents(parcel.value_cents)
    if insurance:
        found.append(Surcharge("insurance", insurance))
    return tuple(found)
