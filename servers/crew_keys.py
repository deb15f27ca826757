"""By which keys the broker knows a crew. A child reads the private ones, so that no fork of the house holds them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from bus.broker import BrokerUser
from bus.connect import identities
from bus.grants import permissions
from bus.identity import load_identity
from servers.crew import Crew, CrewError
from servers.housekeeping import fork_asking, reap


def public_keys(state: Path, crew: Crew) -> dict[str, str]:
    """Everybody's public key, by name; whoever has none yet is given one.

    Raises:
        CrewError: they cannot be read or made.
    """
    folder = identities(state)
    child, answer = fork_asking(
        lambda: json.dumps({each.name: load_identity(folder, each.name).public for each in crew.grants()})
    )
    with os.fdopen(answer) as told:
        data = told.read()
    if reap(child) != 0:
        raise CrewError(f"the keys in {folder} cannot be read or made; see the log")
    keys: dict[str, str] = json.loads(data)
    return keys


def broker_users(crew: Crew, public: Mapping[str, str]) -> dict[str, BrokerUser]:
    """The crew as users of the broker, each with what it was granted."""
    return {one.name: BrokerUser(public[one.name], permissions(one)) for one in crew.grants()}
