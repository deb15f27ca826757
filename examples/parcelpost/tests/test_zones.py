import pytest

from parcelpost.zones import PostcodeError, Zone, normalise, zone_of


@pytest.mark.parametrize("text", ["34117", " 34117", "D-34117", "d-34 117"])
def test_postcodes_are_read_as_people_write_them(text):
    assert normalise(text) == "34117"


@pytest.mark.parametrize("text", ["", "3411", "341170", "34A17"])
def test_anything_else_is_refused(text):
    with pytest.raises(PostcodeError):
        normalise(text)


def test_zones():
    assert zone_of("34117") is Zone.NEAR
    assert zone_of("10115") is Zone.FAR
    assert zone_of("27498") is Zone.REMOTE
