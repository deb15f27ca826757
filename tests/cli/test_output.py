"""What a command prints arrives whole."""

from __future__ import annotations

import os
import subprocess
import sys

SCRIPT = """
import os, signal
from orchestrator.cli import main
main._buffer_output()
signal.signal(signal.SIGALRM, lambda number, frame: os.write(2, b"!"))
signal.setitimer(signal.ITIMER_REAL, 0.2)
print("x" * 200_000)
"""


def test_a_signal_in_mid_write_costs_nothing_even_without_buffering() -> None:
    """A document longer than a pipe, a slow reader, PYTHONUNBUFFERED, and a signal: all of it is there."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.read(1) == b"!", "the signal came while the write was blocked"
        assert len(process.stdout.read()) == 200_001
