import pytest

from parcelpost.discounts import Voucher, VoucherError, percent_of, quantity_percent


@pytest.mark.parametrize(("parcels", "percent"), [(1, 0), (4, 0), (5, 4), (19, 4), (20, 10), (49, 10), (50, 15)])
def test_many_parcels_cost_less(parcels, percent):
    assert quantity_percent(parcels) == percent


def test_a_part_is_rounded_down():
    assert percent_of(999, 4) == 39


def test_a_voucher_takes_its_amount_off():
    assert Voucher("SPRING", 500, from_cents=1_000).off(1_000) == 500


def test_a_voucher_never_pays_out():
    assert Voucher("SPRING", 500).off(399) == 399


def test_a_voucher_may_ask_for_a_dearer_shipment():
    with pytest.raises(VoucherError, match="1000"):
        Voucher("SPRING", 500, from_cents=1_000).off(999)
