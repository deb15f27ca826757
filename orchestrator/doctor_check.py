"""What the doctor's checks are made of: lines of its report, and programs that it asks."""

from __future__ import annotations

import subprocess
from typing import Literal

from contracts.base import Model


class Check(Model):
    """One line of the doctor's report."""

    name: str
    level: Literal["ok", "warn", "fail"]
    found: str
    way_out: str = ""


def first_line(*command: str) -> str | None:
    """First line a program prints, if it ends well."""
    done = run(*command)
    return done.stdout.strip().split("\n")[0] if done is not None and not done.returncode else None


def run(*command: str) -> subprocess.CompletedProcess[str] | None:
    """A program that has ended, within 20 s; None where it did not, or could not be started."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, errors="replace")
    except (OSError, subprocess.TimeoutExpired):
        return None
