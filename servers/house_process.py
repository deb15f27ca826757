"""The process of the house: one for each state directory, with its door, and no key where others can read it."""

from __future__ import annotations

import fcntl
import logging
import os
import sys
from typing import NoReturn

from bus.crash import arm
from servers.door import Door
from servers.house import House
from servers.house_options import house_options
from servers.house_refusal import UNABLE, refusal
from servers.sandbox import linux

log = logging.getLogger("house")

BUSY = 75
"""Exit status when another house runs here (sysexits' EX_TEMPFAIL)."""


def main() -> NoReturn:
    """Be the house."""
    options = house_options(__doc__)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    arm("house")
    options.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(options.state / "house.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(BUSY)
    door = Door(options.state, keep=options.keep)
    linux.hide_from_same_user()  # the file with the keys stays open here
    house: House | None = None
    status = 0
    try:
        house = House(options, door)
        house.start()
        house.run()
    except (*UNABLE, OSError) as wrong:
        log.error("%s", wrong)
        status = 1
        door.refuse(refusal(wrong, options.state))
    finally:
        if house is not None:
            house.stop()
        door.close()
    sys.exit(status)


if __name__ == "__main__":
    main()
