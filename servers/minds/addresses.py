"""Which ports the model server has to reach: its endpoints', or the proxy's where there is one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from contracts.config import BASE_URL_KEY, MODELS_KEY, ModelsConfig

_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
_PORTS = {"http": 80, "https": 443}


def endpoint_ports(keys: Mapping[str, str], environment: Mapping[str, str]) -> tuple[int, ...]:
    """TCP ports of all endpoints in `keys`, and of the proxies in `environment`, ascending; none without keys."""
    return tuple(sorted(set(_ports(keys, environment)))) if keys else ()


def _ports(keys: Mapping[str, str], environment: Mapping[str, str]) -> Iterator[int]:
    config = ModelsConfig.model_validate(json.loads(keys.get(MODELS_KEY, "{}")))
    addresses = [endpoint.base_url or keys.get(BASE_URL_KEY, "") for endpoint in config.endpoints.values()]
    for address in [*addresses, *filter(None, map(environment.get, _PROXIES))]:
        parts = urlsplit(address)
        yield parts.port or _PORTS.get(parts.scheme, 443)
