"""A pin: the tool definitions of a server as a person approved them, and how what it offers now differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import Field

from contracts.base import Model, Name, UtcTime
from contracts.manifest import ToolSpec

_SAID = {
    "title": "title",
    "description": "description",
    "input_schema": "input schema",
    "output_schema": "output schema",
    "more": "definition",
}
_HINTS = "annotations"


class Pin(Model):
    """What a person approved; lies in `pins/NAME.json` beside their crew file."""

    server: Name
    tools: tuple[ToolSpec, ...]
    approved_at: UtcTime
    approved_by: str = Field(description="The person, as the system knows them.")


def pin_file(crew_file: Path, server: str) -> Path:
    """Where the pin of a server lies."""
    return crew_file.parent / "pins" / f"{server}.json"


def drift(approved: Iterable[ToolSpec], offered: Iterable[ToolSpec]) -> tuple[str, ...]:
    """How what is offered differs from what was approved, a clause for each tool; empty when it does not."""
    offered = tuple(offered)
    before, now = ({spec.name: spec for spec in specs} for specs in (approved, offered))
    counted = Counter(spec.name for spec in offered)
    return (
        *(f"{name} was added" for name in sorted(now.keys() - before.keys())),
        *(f"{name} was removed" for name in sorted(before.keys() - now.keys())),
        *(
            f"{name} changed its {', '.join(dict.fromkeys(_changed(before[name], now[name])))}"
            for name in sorted(before.keys() & now.keys())
            if before[name].digest() != now[name].digest()
        ),
        *(f"{name} is there {times} times" for name, times in sorted(counted.items()) if times > 1),
    )


def _changed(before: ToolSpec, now: ToolSpec) -> Iterator[str]:
    for field in ToolSpec.model_fields:
        if before.model_copy(update={field: getattr(now, field)}).digest() != before.digest():
            yield _SAID.get(field, _HINTS)
