"""By which keys the broker knows a crew. A child reads the private ones, so that no fork of the house holds them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bus.account import BrokerAccount, BrokerUser, control_of
from bus.connect import identities
from bus.grants import NOTARY, OPERATOR, permissions
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


@dataclass(frozen=True)
class CrewKeys:
    """What the broker is told of a crew's keys."""

    public: dict[str, str]
    """Everybody's, by name."""
    control: str
    """See `bus.account.control_of`."""


def crew_keys(state: Path, crew: Crew) -> CrewKeys:
    """A crew's; whoever has none yet is given one.

    Raises:
        CrewError: they cannot be read or made.
    """
    folder = identities(state)

    def read() -> str:
        every = {each.name: load_identity(folder, each.name) for each in crew.grants()}
        public = {name: identity.public for name, identity in every.items()}
        return json.dumps({"public": public, "control": control_of(every[OPERATOR])})

    child, answer = fork_asking(read)
    with os.fdopen(answer) as told:
        data = told.read()
    if reap(child) != 0:
        raise CrewError(f"the keys in {folder} cannot be read or made; see the log")
    return CrewKeys(**json.loads(data))


def broker_account(crew: Crew, keys: CrewKeys) -> BrokerAccount:
    """The crew as the broker knows it, each with what it was granted."""
    users = {one.name: BrokerUser(keys.public[one.name], permissions(one)) for one in crew.grants()}
    return BrokerAccount(users, keys.control)
