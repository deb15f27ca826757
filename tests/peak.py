"""How much memory a stretch of a test takes at its peak, as the kernel counts it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Peak:
    """By how much this process was larger than before, at most."""

    grown_bytes: int = 0


@contextmanager
def peak() -> Generator[Peak]:
    """Watch the block; what it comes to is known after it."""
    Path("/proc/self/clear_refs").write_text("5")  # proc(5): sets the high-water mark back
    before, found = _status("VmRSS"), Peak()
    yield found
    found.grown_bytes = _status("VmHWM") - before


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) << 10
