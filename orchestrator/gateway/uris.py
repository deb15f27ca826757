"""Where a host finds what there is to read of runs. Pure."""

from __future__ import annotations

import re
from typing import Literal, get_args

from contracts.gate import GateRequest
from contracts.gate_policy import GateKind

RUNS = "podium://runs"

Part = Literal["", "plan", "diff", "tests", "bundle"]
"""What can be read of a run; "" is the run itself."""

PARTS: tuple[Part, ...] = get_args(Part)

_RUN = re.compile(rf"{RUNS}/(r-[a-z0-9]{{4,32}})(?:/({'|'.join(filter(None, PARTS))}))?")

_SHOWN: dict[GateKind, Part] = {"plan": "plan", "patches": "diff", "escalation": "diff", "handoff": "bundle"}


def uri(run: str, part: Part = "") -> str:
    """Where a part of a run is; `{id}` for a run makes a template."""
    return f"{RUNS}/{run}/{part}" if part else f"{RUNS}/{run}"


def parsed(found: str) -> tuple[str, Part] | None:
    """(run, part) of what `uri` gave."""
    fits = _RUN.fullmatch(found)
    return (fits[1], next(part for part in PARTS if part == (fits[2] or ""))) if fits else None


def shown_at(request: GateRequest) -> str:
    """Where all of what a gate shows can be read."""
    return uri(request.run, _SHOWN[request.kind])
