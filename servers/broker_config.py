"""Prints what a NATS server has to know to carry this state directory's crew: an account, and who may do what in it.

For those who run the server themselves (`PODIUM_NATS_URL`). Of keys only the public halves are printed; the private
ones stay in the state directory and are made where there are none yet. Who reads what is printed learns the subjects by
which the server is governed, all the same (see `bus.account`).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from bus.account import BrokerAccount
from bus.broker import MAX_PAYLOAD
from bus.connect import identities
from bus.identity import load_identity
from servers.crew import CREW_FILE, Crew, read_crew
from servers.crew_member import CrewError


def broker_config(state: Path, crew: Crew, environment: str = "") -> str:
    """JSON, which is NATS' own configuration format too: accounts and `max_payload` (bytes).

    For an environment, the account of that name instead, which goes into the `accounts` of a server beside the
    system's: it has the same subjects as any other, a JetStream of its own, and shares nothing with the others.

    Raises:
        OSError: the keys cannot be read or made.
    """
    folder = identities(state)
    grants = crew.grants()
    account = BrokerAccount.of(grants, {grant.name: load_identity(folder, grant.name) for grant in grants})
    if environment:
        return json.dumps(account.entry(environment), indent=1)
    return json.dumps({"max_payload": MAX_PAYLOAD, **account.configuration()}, indent=1)


def main() -> None:
    """Print it; a line on standard error and status 1 where it cannot be had."""
    parser = argparse.ArgumentParser(prog="servers.broker_config", description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--crew", type=Path, default=CREW_FILE)
    parser.add_argument("--own-crew", type=Path)
    parser.add_argument("--environment", default="")
    options = parser.parse_args()
    try:
        text = broker_config(options.state, read_crew(options.crew, options.own_crew), options.environment)
    except (CrewError, OSError) as wrong:
        sys.exit(str(wrong))
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
