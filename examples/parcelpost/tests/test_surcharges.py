import pytest

from parcelpost.parcels import Parcel
from parcelpost.surcharges import insurance_cents, surcharges


@pytest.mark.parametrize(
    ("value", "fee"), [(0, 0), (50_000, 0), (50_001, 600), (100_000, 600), (100_001, 1_200), (250_000, 2_400)]
)
def test_insurance_is_charged_for_every_begun_step(value, fee):
    assert insurance_cents(value) == fee


def test_an_ordinary_parcel_has_no_surcharge():
    assert surcharges(Parcel(30, 20, 10, 1_000)) == ()


def test_surcharges_add_up():
    vase = Parcel(130, 20, 20, 5_000, value_cents=60_000, fragile=True)
    assert [(each.reason, each.cents) for each in surcharges(vase)] == [
        ("bulky", 2_300),
        ("fragile", 450),
        ("insurance", 600),
    ]
