"""By which keys the broker knows a crew. A child reads the private ones, so that no fork of the house holds them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from bus.broker import BrokerUser
from bus.connect import identities
from bus.grants import NOTARY, permissions
from bus.identity import key_age, load_identity, rotate_identity
from servers.crew import Crew, CrewError
from servers.housekeeping import fork, fork_asking, reap


def renew_keys(state: Path, crew: Crew) -> None:
    """Give another key to who has had theirs for longer than the crew file allows; before anybody is at work.

    The notary keeps its key, by which outsiders trust the ledger, and who is away theirs, which is elsewhere, too.

    Raises:
        CrewError: they cannot be read or made.
    """
    if crew.key_max_age_days is None:
        return
    folder, most = identities(state), timedelta(days=crew.key_max_age_days)
    staying = {NOTARY, *(member.name for member in crew.members if member.away)}

    def renew() -> None:
        for each in crew.grants():
            if each.name not in staying and key_age(folder, each.name) > most:
                rotate_identity(folder, each.name)

    if reap(fork(renew)) != 0:
        raise CrewError(f"the keys in {folder} cannot be renewed; see the log")


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
