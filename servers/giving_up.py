"""What a process of its own tells the person who started it when it cannot go on, before it ends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

from contracts.failure import Failure


def give_up(why: Failure, status: int) -> NoReturn:
    """Say on standard error why it ends, and what to do; and end."""
    way_out = f"\n  → {why.way_out}" if why.way_out else ""
    sys.stderr.write(f"podium: {why.message}{way_out}\n")
    sys.exit(status)


def state_unusable(state: Path, wrong: OSError) -> Failure:
    """Nothing can be kept where everything is to be kept."""
    return Failure(
        kind="unavailable",
        message=f"The state directory {state} cannot be used: {wrong.strerror}.",
        way_out="Make it writable, or set PODIUM_STATE_DIR to a directory that is.",
    )
