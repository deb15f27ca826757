"""What is sent: a parcel's size and weight, and the weight it is charged for."""

from __future__ import annotations

from dataclasses import dataclass

VOLUMETRIC_DIVISOR = 5
"""Cubic centimetres that count as one gram (the trade's 5000 cm³ per kilogram)."""

MAX_LENGTH_CM = 120
MAX_GIRTH_CM = 360


class ParcelError(ValueError):
    """A parcel that cannot be sent."""


@dataclass(frozen=True)
class Parcel:
    """A box. Sizes in centimetres, weight in grams, value in cents."""

    length_cm: int
    width_cm: int
    height_cm: int
    weight_g: int
    value_cents: int = 0
    fragile: bool = False

    def __post_init__(self) -> None:
        if min(self.length_cm, self.width_cm, self.height_cm) <= 0:
            raise ParcelError("every side must be longer than nothing")
        if self.weight_g <= 0:
            raise ParcelError("a parcel weighs something")
        if self.value_cents < 0:
            raise ParcelError("the value cannot be negative")

    @property
    def volume_cm3(self) -> int:
        """Outer volume."""
        return self.length_cm * self.width_cm * self.height_cm

    @property
    def volumetric_g(self) -> int:
        """The weight its volume stands for, rounded up to a gram."""
        return -(-self.volume_cm3 // VOLUMETRIC_DIVISOR)

    @property
    def chargeable_g(self) -> int:
        """What the tariff looks at: the real weight, or the volumetric one for bulky parcels."""
        return max(self.weight_g, self.volumetric_g)

    @property
    def longest_cm(self) -> int:
        """The longest side."""
        return max(self.length_cm, self.width_cm, self.height_cm)

    @property
    def girth_cm(self) -> int:
        """The longest side, and once around the other two."""
        around = self.length_cm + self.width_cm + self.height_cm - self.longest_cm
        return self.longest_cm + 2 * around

    @property
    def is_bulky(self) -> bool:
        """Whether it must be handled by hand."""
        return self.longest_cm > MAX_LENGTH_CM or self.girth_cm > MAX_GIRTH_CM
