"""A person's consent to members that the kernel cannot hold to what they were granted."""

from __future__ import annotations

from collections.abc import Mapping

CONSENT_ENV = "PODIUM_CONSENT_WEAK"
"""Set to 1 by whoever has such members start, and knows what that means."""


def consented(environment: Mapping[str, str]) -> bool:
    """Whether whoever has this environment has."""
    return environment.get(CONSENT_ENV) == "1"
