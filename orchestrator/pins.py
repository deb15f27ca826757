"""Writing down which tool definitions of a server a person approved; the house reads it and passes it to the server.

`contracts.pin.drift` says how what is offered now differs from it.
"""

from __future__ import annotations

import os
from pathlib import Path

from contracts.base import utc_now
from contracts.manifest import Card
from contracts.pin import Pin, pin_file


def write_pin(crew_file: Path, card: Card, approved_by: str) -> Pin:
    """Approve the tools that `card` shows. They count once the house has read its files again.

    Raises:
        OSError: it cannot be written.
    """
    name = card.manifest.name
    pin = Pin(server=name, tools=card.tools, approved_at=utc_now(), approved_by=approved_by)
    file = pin_file(crew_file, name)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = file.with_suffix(f".{os.getpid()}.new")
    fresh.write_text(pin.model_dump_json(indent=2), encoding="utf-8")
    fresh.replace(file)  # whoever reads it reads all of it
    return pin
