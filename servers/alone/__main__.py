"""`python -m servers.alone`: reads a checkout, and starts the specialist that works on snapshots of it.

It has no threads. Whatever ends it, nothing that it started is left: it kills and awaits all its descendants, and
they die with it where it is killed itself. `orchestrator/cli/serve_alone.py` starts it.
"""

from __future__ import annotations

import argparse
import os
import selectors
import socket
import sys
from pathlib import Path
from typing import NoReturn

from contracts.consent import consented
from contracts.failure import Failure
from contracts.run_settings import RunSettings
from servers.alone.fit import CannotBeAlone, fit_member
from servers.alone.folder import own_folder
from servers.alone.line import MOST_BYTES, Answer, Ask, pair
from servers.alone.snapshots import Album, Checkout, CheckoutUnreadable
from servers.crew import CREW_FILE, read_crew
from servers.crew_member import CrewError, Member
from servers.giving_up import give_up, state_unusable
from servers.housekeeping import Signals, fork
from servers.place import Place
from servers.sandbox import linux, tree

INTERRUPTED = 130
"""Exit status when it was told to end by a signal."""


def main() -> NoReturn:
    """Serve until the host hangs up."""
    options = _options()
    try:
        member = fit_member(read_crew(CREW_FILE, options.own_crew), options.name)
    except CannotBeAlone as wrong:
        give_up(wrong.failure, 2)
    except CrewError as wrong:
        give_up(Failure(kind="invalid", message=str(wrong), way_out="Correct it."), 2)
    checkout = Checkout(options.checkout, RunSettings.model_validate_json(options.settings), options.ignore_file)
    try:
        with own_folder(options.state / "alone") as folder:
            status = _serve(
                member, checkout, Place(state=options.state, folder=folder, consent_weak=consented(os.environ))
            )
    except CheckoutUnreadable as wrong:
        give_up(wrong.failure, 1)
    except OSError as wrong:
        give_up(state_unusable(options.state, wrong), 1)
    sys.exit(status)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--checkout", type=Path, required=True, help="top of a git checkout")
    parser.add_argument("--settings", required=True, help="RunSettings, as JSON")
    parser.add_argument("--ignore-file", type=Path, help="what this person has git ignore everywhere")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--own-crew", type=Path, help="over the crew that ships with Podium; need not exist")
    return parser.parse_args()


def _serve(member: Member, checkout: Checkout, place: Place) -> int:
    """The exit status."""
    linux.adopt_orphans()
    signals = Signals()
    ours, theirs = pair()
    album = Album(checkout, place.work)
    place.work.mkdir(mode=0o700)

    def specialist() -> int:
        ours.close()
        from servers.alone.member import become  # while this process takes the checkout in

        return become(member, place, checkout.root, theirs)

    pid = fork(specialist)
    theirs.close()
    ended: dict[int, int] = {}
    try:
        album.take()
        _answer_until_told(ours, signals, album)
        if not signals.told_to_stop:
            ended[pid] = os.waitpid(pid, 0)[1]
    finally:
        ended |= tree.end_everything()
    status = INTERRUPTED if signals.told_to_stop else os.waitstatus_to_exitcode(ended[pid])
    return status if status >= 0 else 128 - status  # killed: as shells say it


def _answer_until_told(line: socket.socket, signals: Signals, album: Album) -> None:
    """Answer the specialist until it has gone, or a signal says to stop."""
    with selectors.DefaultSelector() as selector:
        selector.register(line, selectors.EVENT_READ)
        selector.register(signals.wake, selectors.EVENT_READ)
        while not signals.told_to_stop:
            for key, _ in selector.select():
                if key.fileobj is not line:
                    signals.drain()
                elif data := line.recv(MOST_BYTES):
                    asked = Ask.model_validate_json(data)
                    line.send(_answer(album).canonical())
                    album.keep(asked.in_use)
                else:
                    return


def _answer(album: Album) -> Answer:
    try:
        return Answer(snapshot=album.take())
    except CheckoutUnreadable as wrong:
        return Answer(failure=wrong.failure)


if __name__ == "__main__":
    main()
