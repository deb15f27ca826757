"""Which model is behind a role, where its endpoint is, and whether it can be asked."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from contracts.base import Name
from contracts.config import BASE_URL_KEY, MODELS_KEY, EndpointConfig, ModelConfig, ModelsConfig, PriceTable
from contracts.model import Role
from servers.specialist import ToolError

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
"""What ships with Podium."""

ANTHROPIC = "https://api.anthropic.com"
NO_KEY = "none"
"""What is sent as the key to an endpoint that needs none; the client insists on sending one."""


@dataclass(frozen=True)
class Chosen:
    """A model, and the endpoint it is asked at."""

    endpoint: Name
    config: EndpointConfig
    model: str
    base_url: str
    key: str = field(repr=False)
    why_not: str = ""
    """What is missing to ask it; empty when nothing is."""
    way_out: str = ""


def models_of(keys: Mapping[str, str], configs: Path = CONFIGS) -> ModelsConfig:
    """Where models are: as the house passed it on among the keys, else what ships with Podium.

    A repository has no say in it: one could have the key sent to itself.
    """
    if MODELS_KEY in keys:
        return ModelsConfig.model_validate_json(keys[MODELS_KEY])
    return ModelsConfig.model_validate(tomllib.loads((configs / "models.toml").read_text(encoding="utf-8")))


def price_table(configs: Path = CONFIGS) -> PriceTable:
    """The prices that ship with Podium."""
    # TOML's numbers become decimals by their digits, not by the nearest float.
    raw = tomllib.loads((configs / "prices.toml").read_text(encoding="utf-8"), parse_float=str)
    return PriceTable.model_validate(raw)


def secrets_of(keys: Mapping[str, str]) -> tuple[str, ...]:
    """Every value among the keys that must never be seen: all but addresses and configuration."""
    return tuple(value.strip() for name, value in keys.items() if name not in (MODELS_KEY, BASE_URL_KEY))


def choose(config: ModelsConfig, role: Role, asked: Mapping[Role, str], keys: Mapping[str, str]) -> Chosen:
    """The model for `role`: as the run's task asks, else as configured.

    Raises:
        ToolError: invalid, when neither names one, or the endpoint that models are at by default is not configured.
    """
    named = asked.get(role) or config.roles.get(role)
    if not named:
        raise ToolError(
            "invalid",
            f"no model is configured for the role {role}",
            way_out=f"Name one: --model {role}=MODEL, or [roles] in models.toml.",
        )
    endpoint, slash, model = named.partition("/")
    if not slash or endpoint not in config.endpoints:  # a model's own name may have slashes
        endpoint, model = config.default, named
    at = config.endpoints.get(endpoint)
    if at is None or not model:
        raise ToolError(
            "invalid",
            f"{named!r} names no model of a configured endpoint; there are: {', '.join(config.endpoints) or 'none'}",
            way_out="Name it as [ENDPOINT/]MODEL, with ENDPOINT one of [endpoints] in models.toml.",
        )
    return _found(endpoint, at, model, keys)


def _found(name: Name, at: EndpointConfig, model: str, keys: Mapping[str, str]) -> Chosen:
    elsewhere = "" if at.base_url else keys.get(BASE_URL_KEY, "")
    base_url = at.base_url or elsewhere or ANTHROPIC
    key = keys.get(at.key_env, "").strip() if at.key_env else NO_KEY
    if not key and elsewhere:  # somebody's own server, named instead of a key: most of them need none
        key = NO_KEY
    if not base_url.startswith(("http://", "https://")):
        return Chosen(
            name, at, model, base_url, key, "its address is no http address", f"Set {BASE_URL_KEY} or base_url."
        )
    if not re.fullmatch(r"[!-~]*", key):  # the client would say the key in its complaint
        return Chosen(name, at, model, base_url, "", f"{at.key_env} holds characters no key has", "Set it anew.")
    if key:
        return Chosen(name, at, model, base_url, key)
    return Chosen(
        name, at, model, base_url, "", f"{at.key_env} is not set", f"Set {at.key_env} and start podium again."
    )


def known_of(config: ModelsConfig, model: str) -> ModelConfig:
    """What is known of `model`: by the first pattern that fits."""
    fits = (known for pattern, known in config.models.items() if fnmatchcase(model, pattern))
    return next(fits, ModelConfig())
