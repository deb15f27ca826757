"""What a process of its own tells the person who started it, before it ends."""

from __future__ import annotations

import sys
from typing import NoReturn

from contracts.failure import Failure


def end_with(why: Failure, status: int) -> NoReturn:
    """Say on standard error why it ends, and what to do; and end."""
    way_out = f"\n  → {why.way_out}" if why.way_out else ""
    sys.stderr.write(f"podium: {why.message}{way_out}\n")
    sys.exit(status)
