"""`python -m servers.away`: has one specialist on this machine, and starts it again when it dies.

It has no threads and holds no key; the specialist reads its own. Whatever ends it, nothing that it started is left.
`orchestrator/cli/serve_away.py` starts it.
"""

from __future__ import annotations

import argparse
import logging
import os
import select
import sys
from pathlib import Path
from typing import NoReturn

import servers.member
from bus.connect import URL_ENV
from contracts.consent import consented
from contracts.failure import Failure
from servers.alone.folder import own_folder
from servers.away.fit import BoundToTheHouse, fit_member
from servers.crew import CREW_FILE, read_crew
from servers.crew_member import CrewError, Member
from servers.giving_up import give_up, state_unusable
from servers.housekeeping import Signals
from servers.place import Away, Place
from servers.sandbox import linux, tree
from servers.staff import Staff, await_ready

_TICK_S = 0.2


def main() -> NoReturn:
    """Serve until told to end."""
    options = _options()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        member = fit_member(read_crew(CREW_FILE, options.own_crew), options.name)
    except BoundToTheHouse as bound:
        give_up(bound.failure, 2)
    except CrewError as wrong:
        give_up(Failure(kind="invalid", message=str(wrong), way_out="Correct it."), 2)
    try:
        with own_folder(options.state / "away") as folder:
            away = Away(options.key, options.python)
            consent = consented(os.environ)
            place = Place(options.state, options.url, consent_weak=consent, folder=folder, away=away)
            _serve(member, place)
    except CrewError as wrong:
        way_out = f"See {URL_ENV} and --key; `podium doctor` checks this machine."
        give_up(Failure(kind="unavailable", message=str(wrong), way_out=way_out), 1)
    except OSError as wrong:
        give_up(state_unusable(options.state, wrong), 1)
    sys.exit(0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--url", required=True, help="the crew's broker, or those of several")
    parser.add_argument("--key", type=Path, required=True, help="file with the member's private key")
    parser.add_argument("--python", type=Path, help="runs projects' tests, instead of the interpreter they name")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--own-crew", type=Path, help="over the crew that ships with Podium; need not exist")
    return parser.parse_args()


def _serve(member: Member, place: Place) -> None:
    """Have it serve until a signal says to stop.

    Raises:
        CrewError: it cannot serve, and why.
    """
    linux.adopt_orphans()
    signals = Signals()
    place.work.mkdir(mode=0o700)
    staff: Staff[Member] = Staff(lambda wanted, tell: servers.member.become(wanted, place, {}, tell))
    try:
        await_ready(staff.change({member.name: member}))
        sys.stdout.write(f"{member.name} is in the crew at {place.url}. Ctrl-C ends it.\n")
        sys.stdout.flush()
        while not signals.told_to_stop:
            if select.select([signals.wake], [], [], _TICK_S)[0]:
                signals.drain()
            staff.mend()
    finally:
        staff.stop()
        tree.end_everything()


if __name__ == "__main__":
    main()
