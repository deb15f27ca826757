import pytest

from parcelpost.parcels import Parcel, ParcelError


def test_volumetric_weight_is_a_gram_for_five_cubic_centimetres():
    assert Parcel(30, 20, 10, 100).volumetric_g == 1_200


def test_volumetric_weight_is_rounded_up():
    assert Parcel(3, 3, 3, 100).volumetric_g == 6


def test_a_dense_parcel_is_charged_by_its_weight():
    assert Parcel(20, 10, 10, 1_900).chargeable_g == 1_900


def test_a_light_and_large_parcel_is_charged_by_its_volume():
    assert Parcel(60, 40, 40, 1_500).chargeable_g == 19_200


def test_girth_goes_once_around_the_shorter_sides():
    assert Parcel(50, 30, 20, 1_000).girth_cm == 150


def test_girth_does_not_depend_on_how_the_box_is_turned():
    assert Parcel(20, 50, 30, 1_000).girth_cm == Parcel(50, 30, 20, 1_000).girth_cm


@pytest.mark.parametrize(("length", "bulky"), [(120, False), (121, True)])
def test_a_long_parcel_is_bulky(length, bulky):
    assert Parcel(length, 10, 10, 1_000).is_bulky is bulky


@pytest.mark.parametrize("sides", [(0, 1, 1), (1, -1, 1), (1, 1, 0)])
def test_sides_must_be_positive(sides):
    with pytest.raises(ParcelError, match="side"):
        Parcel(*sides, 100)


def test_a_parcel_weighs_something():
    with pytest.raises(ParcelError, match="weighs"):
        Parcel(1, 1, 1, 0)
