"""Keeps a process that lives for weeks from growing although it holds no more than before."""

from __future__ import annotations

import ctypes

_M_MMAP_THRESHOLD = -3
LARGE_BYTES = 128 << 10
"""What glibc begins with."""


def give_large_blocks_back() -> None:
    """Have blocks of `LARGE_BYTES` and more go back to the kernel when they are freed, for the life of this process.

    glibc gives up on that by itself: a large block that is freed raises the threshold to its size, up to 32 MiB
    (mallopt(3), M_MMAP_THRESHOLD). Blocks below it lie in the heap from then on; small ones that stay settle in the
    gap that one leaves, and the next finds no room there. CPython's table of interned strings is such a block, 2 MB in
    a member: it is allocated anew whenever tens of thousands of parts of paths, which pathlib interns, came and went.

    Other C libraries have no such threshold; with them nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
