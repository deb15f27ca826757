"""Which model is behind a role, where its endpoint is, and whether it can be asked."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import unquote, urlsplit

from contracts.base import Name
from contracts.config import BASE_URL_KEY, MODELS_KEY, EndpointConfig, ModelConfig, ModelsConfig, PriceTable
from contracts.endpoint import access
from contracts.model import Role
from servers.specialist import ToolError

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
"""What ships with Podium."""


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


def secrets_of(keys: Mapping[str, str], models: ModelsConfig) -> tuple[str, ...]:
    """What must never be seen of `keys`: every key, and of addresses the passwords in them, as written and as meant."""
    found = {value.strip() for name, value in keys.items() if name not in (MODELS_KEY, BASE_URL_KEY)}
    addresses = [keys.get(BASE_URL_KEY, ""), *(each.base_url for each in models.endpoints.values())]
    for password in filter(None, (urlsplit(address).password for address in addresses)):
        found |= {password, unquote(password)}
    return tuple(found)


def choose(config: ModelsConfig, role: Role, asked: Mapping[Role, str], keys: Mapping[str, str]) -> Chosen:
    """The model for `role`: as the run's task asks, else as configured.

    Raises:
        ToolError: invalid, when neither names one, or names an endpoint that is not configured.
    """
    named = asked.get(role) or config.roles.get(role)
    if not named:
        raise ToolError(
            "invalid",
            f"no model is configured for the role {role}",
            way_out=f"Name one: --model {role}=MODEL, or [roles] in models.toml.",
        )
    endpoint, _, model = named.partition("/") if "/" in named else (config.default, "", named)
    at = config.endpoints.get(endpoint)
    if at is None or not model:
        # A model's own name may have a slash, too. But a misspelt endpoint must not send the prompt to another one.
        raise ToolError(
            "invalid",
            f"{named!r} names no model of a configured endpoint; there are: {', '.join(config.endpoints) or 'none'}",
            way_out="Name it as [ENDPOINT/]MODEL, with ENDPOINT one of [endpoints] in models.toml; "
            f"a name that has a slash itself, as {config.default}/{named}.",
        )
    found = access(at, keys)
    return Chosen(endpoint, at, model, found.base_url, found.key, found.why_not, found.way_out)


def known_of(config: ModelsConfig, model: str) -> ModelConfig:
    """What is known of `model`: by the first pattern that fits."""
    fits = (known for pattern, known in config.models.items() if fnmatchcase(model, pattern))
    return next(fits, ModelConfig())
