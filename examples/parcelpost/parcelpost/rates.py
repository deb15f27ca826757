"""The tariffs in force."""

from __future__ import annotations

from parcelpost.tariffs import Band, Tariff
from parcelpost.zones import Zone

STANDARD = Tariff(
    name="standard",
    bands=(
        Band("XS", 500, 399),
        Band("S", 1_000, 479),
        Band("M", 2_000, 590),
        Band("L", 5_000, 799),
        Band("XL", 10_000, 1_149),
        Band("XXL", 31_500, 1_999),
    ),
    zone_percent={Zone.NEAR: 0, Zone.FAR: 10, Zone.REMOTE: 75},
)

EXPRESS = Tariff(
    name="express",
    bands=(
        Band("S", 1_000, 1_290),
        Band("L", 5_000, 1_690),
        Band("XL", 20_000, 2_990),
    ),
    zone_percent={Zone.NEAR: 0, Zone.FAR: 25, Zone.REMOTE: 150},
)

BY_NAME = {tariff.name: tariff for tariff in (STANDARD, EXPRESS)}
