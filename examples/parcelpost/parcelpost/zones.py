"""Where it goes: postcodes and their zones."""

from __future__ import annotations

import re
from enum import Enum

REMOTE = ("18565", "25849", "26465", "26474", "26486", "26548", "26571", "26579", "27498", "83256")
"""Islands and a few valleys, where delivery takes a boat."""

_POSTCODE = re.compile(r"\d{5}")


class Zone(Enum):
    """How far it is from the depot in Kassel."""

    NEAR = "near"
    FAR = "far"
    REMOTE = "remote"


class PostcodeError(ValueError):
    """Not a postcode."""


def normalise(postcode: str) -> str:
    """Five digits, without spaces and without the country's letter.

    Raises:
        PostcodeError: it is something else.
    """
    text = postcode.strip().upper().removeprefix("D-").replace(" ", "")
    if not _POSTCODE.fullmatch(text):
        raise PostcodeError(f"not a postcode: {postcode!r}")
    return text


def zone_of(postcode: str) -> Zone:
    """The zone of a postcode; the third of the country that starts with 3 is near."""
    code = normalise(postcode)
    if code in REMOTE:
        return Zone.REMOTE
    if code.startswith("3"):
        return Zone.NEAR
    return Zone.FAR
