"""What a process of the house keeps of memory that it no longer needs."""

from __future__ import annotations

import subprocess
import sys

from tests.bus.large_blocks import BLOCKS, LARGE


def test_a_process_of_the_house_gives_large_blocks_back_whatever_was_allocated_since() -> None:
    """Else each that finds no room among what has settled in the place of former ones makes the process larger."""
    told = subprocess.run([sys.executable, "-m", "tests.bus.large_blocks"], capture_output=True, text=True, check=True)
    assert int(told.stdout) < BLOCKS * LARGE / 8
