"""What customers complained about, so that it stays repaired."""

from parcelpost.parcels import Parcel
from parcelpost.quotes import quote
from parcelpost.rates import STANDARD


def test_two_kilos_of_flour_pay_for_two_kilos():
    flour = Parcel(24, 18, 14, 2_000)
    assert quote(STANDARD, [flour], "34117").total_cents == 590
