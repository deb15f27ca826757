"""A small file that is there whole, as it was or as it is to be, whatever is killed or unplugged meanwhile."""

from __future__ import annotations

import os
from pathlib import Path


def put(file: Path, content: bytes) -> None:
    """Have `file` hold `content`, whole or not at all, for its owner's eyes. Only one process at a time may.

    Raises:
        OSError: it cannot be written.
    """
    draft = file.with_suffix(".draft")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as fresh:
        fresh.write(content)
        fresh.flush()
        os.fsync(fresh.fileno())  # else a power cut may leave the name, and nothing in it
    draft.replace(file)
