import pytest

from parcelpost.discounts import Voucher
from parcelpost.parcels import Parcel
from parcelpost.quotes import cheapest, quote
from parcelpost.rates import EXPRESS, STANDARD
from parcelpost.report import euros, render

BOOK = Parcel(25, 18, 4, 450)
SHOES = Parcel(33, 20, 12, 1_300)


def test_one_parcel():
    assert quote(STANDARD, [BOOK], "34117").total_cents == 399


def test_a_bulky_but_light_parcel_pays_for_its_volume():
    pillow = Parcel(60, 40, 30, 900)
    assert quote(STANDARD, [pillow], "34117").total_cents == 1_999


def test_distance_costs():
    assert quote(STANDARD, [BOOK], "10115").total_cents == 439


def test_several_parcels_are_added_up():
    assert quote(STANDARD, [BOOK, SHOES], "34117").total_cents == 399 + 590


def test_five_parcels_get_four_percent_off_the_postage():
    lines = quote(STANDARD, [BOOK] * 5, "34117").lines
    assert (lines[-1].text, lines[-1].cents) == ("4 % for 5 parcels", -79)


def test_a_voucher_comes_last():
    assert quote(STANDARD, [SHOES], "34117", Voucher("HELLO", 100)).total_cents == 490


def test_surcharges_have_their_own_lines():
    vase = Parcel(20, 20, 30, 2_500, fragile=True)
    assert [line.text for line in quote(STANDARD, [vase], "34117").lines] == [
        "parcel 1: standard L",
        "parcel 1: fragile",
    ]


def test_nothing_to_send_is_refused():
    with pytest.raises(ValueError, match="nothing"):
        quote(STANDARD, [], "34117")


def test_the_cheapest_tariff_wins():
    assert cheapest([EXPRESS, STANDARD], [BOOK], "34117").tariff == "standard"


@pytest.mark.parametrize(("cents", "text"), [(0, "0.00 €"), (5, "0.05 €"), (1_234, "12.34 €"), (-79, "-0.79 €")])
def test_amounts_are_written_in_euros(cents, text):
    assert euros(cents) == text


def test_a_quote_reads_like_a_table():
    assert render(quote(STANDARD, [BOOK, SHOES], "34117")) == (
        "parcel 1: standard XS  3.99 €\nparcel 2: standard M   5.90 €\ntotal                  9.89 €"
    )
