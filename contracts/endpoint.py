"""Where an endpoint is and what it is asked with, out of what a person configured and has in the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts.config import BASE_URL_KEY, EndpointConfig

ANTHROPIC = "https://api.anthropic.com"
NO_KEY = "none"
"""What is sent as the key to an endpoint that needs none; the client insists on sending one."""


@dataclass(frozen=True)
class Access:
    """How an endpoint is reached, or what is missing."""

    base_url: str
    key: str = field(repr=False)
    why_not: str = ""
    """What is missing to ask it; empty when nothing is."""
    way_out: str = ""


def access(at: EndpointConfig, values: Mapping[str, str]) -> Access:
    """How `at` is reached with `values`, which are keys and addresses by the name of their environment variable."""
    elsewhere = "" if at.base_url else values.get(BASE_URL_KEY, "")
    base_url = at.base_url or elsewhere or ANTHROPIC
    key = values.get(at.key_env, "").strip() if at.key_env else NO_KEY
    if not key and elsewhere:  # somebody's own server, named instead of a key: most of them need none
        key = NO_KEY
    if not base_url.startswith(("http://", "https://")):
        return Access(base_url, key, "its address is no http address", f"Set {BASE_URL_KEY} or base_url.")
    if not re.fullmatch(r"[!-~]*", key):  # the client would say the key in its complaint
        return Access(base_url, "", f"{at.key_env} holds characters no key has", "Set it anew.")
    if not key:
        return Access(base_url, "", f"{at.key_env} is not set", f"Set {at.key_env} and start podium again.")
    return Access(base_url, key)


def shown(address: str) -> str:
    """`address` as it may be seen by anybody: without name and password."""
    return re.sub(r"//[^/?#]*@", "//", address)
