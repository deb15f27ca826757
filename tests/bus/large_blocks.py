"""A member that once held large things: `python -m tests.bus.large_blocks` says what of them it keeps, in bytes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from servers.housekeeping import fork_asking, reap

LARGE, SMALL = 1 << 20, 100_000
BLOCKS = 32


def kept() -> str:
    """What is resident of large blocks that are no more, below small ones that were made after them and stay."""
    bytearray(2 * LARGE)  # by which glibc would learn that such blocks come and go
    before = _resident()
    large = [bytearray(LARGE) for _ in range(BLOCKS)]
    small = [bytearray(SMALL) for _ in range(BLOCKS)]
    large.clear()
    return str(_resident() - before - len(small) * SMALL)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    pid, answer = fork_asking(kept)
    with os.fdopen(answer) as told:
        sys.stdout.write(told.read())
    sys.exit(reap(pid))


if __name__ == "__main__":
    main()
