"""Why there is no house, for those who wait for it: what went wrong, and the way out."""

from __future__ import annotations

from pathlib import Path

from bus.broker import BrokerFailed
from bus.cluster import OtherForm
from bus.marks import LedgerTorn
from contracts.failure import Failure
from servers.crew_member import CrewError
from servers.ledger_upkeep import marks_file
from servers.room import NoRoom

UNABLE = (LedgerTorn, NoRoom, OtherForm, BrokerFailed, CrewError)
"""What keeps a house from coming up, or ends it."""


def refusal(wrong: Exception, state: Path) -> Failure:
    """What is told of one of `UNABLE`, or of an OSError."""
    match wrong:
        case NoRoom():
            return wrong.failure
        case LedgerTorn():
            file = marks_file(state)
            way_out = f"Put back a copy of {file.parent}, or go on with what is left: rm '{file}'"
            return Failure(kind="unavailable", message=str(wrong), way_out=way_out)
        case OtherForm():
            way_out = "Leave --cluster out to have it as it is, or name another state directory by PODIUM_STATE_DIR."
            return Failure(kind="conflict", message=str(wrong), way_out=way_out)
        case _:
            return Failure(kind="unavailable", message=str(wrong), way_out="Run `podium doctor`.")
