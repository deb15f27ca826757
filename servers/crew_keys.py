"""By which keys the broker knows a crew, and how it is governed.

A child reads the private keys, and tells the broker what follows from them: no fork of the house holds any of that.
"""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

from bus.account import BrokerAccount
from bus.connect import identities
from bus.grants import NOTARY
from bus.identity import key_age, load_identity, rotate_identity
from servers.crew import Crew
from servers.crew_member import CrewError
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


def publish_keys(state: Path, crew: Crew, account: Path | None = None) -> dict[str, str]:
    """See that everybody has a key, and the broker knows; the public ones, by name.

    The broker is told in the file `account`, if it is ours: who they are, what each was granted, how it is governed.

    Raises:
        CrewError: they cannot be read or made, or the file cannot be written.
    """
    folder = identities(state)

    def read() -> str:
        every = {each.name: load_identity(folder, each.name) for each in crew.grants()}
        if account is not None:
            BrokerAccount.of(crew.grants(), every).write(account)
        return json.dumps({name: identity.public for name, identity in every.items()})

    child, answer = fork_asking(read)
    with os.fdopen(answer) as told:
        data = told.read()
    if reap(child) != 0:
        raise CrewError(f"the keys in {folder} cannot be read or made, or the broker not told; see the log")
    keys: dict[str, str] = json.loads(data)
    return keys
