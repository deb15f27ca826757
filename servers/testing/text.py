"""Makes what a test printed safe to show."""

from __future__ import annotations

import re

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~])"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def plain(data: bytes) -> str:
    """Text without terminal escapes, control characters (but tab and newline) and direction overrides."""
    text = data.decode("utf-8", errors="replace").replace("\r\n", "\n")
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", _ESCAPES.sub("", text))


def shown(text: str) -> str:
    """`plain` for text that arrived as JSON, lone surrogates included."""
    return plain(text.encode("utf-8", errors="replace"))
