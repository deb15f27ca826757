"""The price list: weight bands, and how to find the one a parcel falls into."""

from __future__ import annotations

from dataclasses import dataclass

from parcelpost.zones import Zone


class TooHeavy(ValueError):
    """Heavier than the heaviest band."""


@dataclass(frozen=True)
class Band:
    """One line of the price list: parcels up to and including `up_to_g`."""

    name: str
    up_to_g: int
    cents: int


@dataclass(frozen=True)
class Tariff:
    """Bands from light to heavy, and what a zone adds in per cent."""

    name: str
    bands: tuple[Band, ...]
    zone_percent: dict[Zone, int]

    def __post_init__(self) -> None:
        limits = [band.up_to_g for band in self.bands]
        if not limits or limits != sorted(set(limits)):
            raise ValueError(f"tariff {self.name}: bands must rise strictly")

    @property
    def heaviest_g(self) -> int:
        """The most a parcel may weigh."""
        return self.bands[-1].up_to_g

    def band_for(self, weight_g: int) -> Band:
        """The lightest band that carries `weight_g`.

        Raises:
            TooHeavy: none does.
        """
        for band in self.bands:
            if weight_g < band.up_to_g:
                return band
        raise TooHeavy(f"{weight_g} g is more than {self.heaviest_g} g")

    def price_cents(self, weight_g: int, zone: Zone) -> int:
        """Postage for one parcel, rounded half up to a cent."""
        cents = self.band_for(weight_g).cents
        return (cents * (100 + self.zone_percent[zone]) + 50) // 100
