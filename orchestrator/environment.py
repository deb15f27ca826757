"""Environments: `dev`, `prod` and the like, which know nothing of each other.

Each has a state directory of its own, so its own keys and runs; where several share a NATS server, each is an account
there. The shell says which one it is, never a file of a repository: that would choose whose ledger it is on.
"""

from __future__ import annotations

import os

from pydantic import TypeAdapter, ValidationError

from contracts.base import Name
from orchestrator.errors import ConfigError

ENVIRONMENT_ENV = "PODIUM_ENV"

_NAME = TypeAdapter[str](Name)


def environment() -> str:
    """The one that this process is in; empty: the only one there is.

    Raises:
        ConfigError: it is named as none may be.
    """
    said = os.environ.get(ENVIRONMENT_ENV, "")
    if not said:
        return ""
    try:
        return _NAME.validate_python(said)
    except ValidationError:
        way_out = "Take lower-case letters, digits, - and _, and begin with a letter."
        raise ConfigError(ENVIRONMENT_ENV, "", f"{said!r} is no name of an environment", way_out) from None
