import pytest

from parcelpost.rates import BY_NAME, EXPRESS, STANDARD
from parcelpost.tariffs import Band, Tariff, TooHeavy
from parcelpost.zones import Zone


@pytest.mark.parametrize(
    ("weight_g", "band"), [(1, "XS"), (499, "XS"), (501, "S"), (1_200, "M"), (4_999, "L"), (5_001, "XL"), (31_000, "XXL")]
)
def test_a_parcel_falls_into_the_lightest_band_that_carries_it(weight_g, band):
    assert STANDARD.band_for(weight_g).name == band


def test_too_heavy_is_said():
    with pytest.raises(TooHeavy, match="31500"):
        STANDARD.band_for(31_501)


def test_near_costs_the_list_price():
    assert STANDARD.price_cents(1_200, Zone.NEAR) == 590


def test_far_costs_a_tenth_more():
    assert STANDARD.price_cents(1_200, Zone.FAR) == 649


def test_remote_is_rounded_half_up():
    assert STANDARD.price_cents(300, Zone.REMOTE) == 698


def test_bands_must_rise():
    with pytest.raises(ValueError, match="rise"):
        Tariff("bad", (Band("A", 10, 1), Band("B", 10, 2)), {})


def test_tariffs_are_found_by_name():
    assert BY_NAME["express"] is EXPRESS
