"""Masks secrets in what leaves for a model."""

from __future__ import annotations

import re
from collections.abc import Collection

from pydantic import JsonValue

from contracts.secret_kinds import Kind, replaced

_OWN = "endpoint key"
SHORTEST_KEY = 8
"""Characters; a shorter value is a word like `none`, and masking it would spoil the text."""
PLACEHOLDERS = frozenset(
    {
        "anything",
        "changeme",
        "dummy-key",
        "lm-studio",
        "local-key",
        "no-key-required",
        "not-needed",
        "not-required",
        "placeholder",
        "sk-no-key-required",
        "undefined",
    }
)
"""What servers that need no key are given as one; masking these would spoil the text, too."""


def _is_a_key(word: str) -> bool:
    return len(word) >= SHORTEST_KEY and word.lower() not in PLACEHOLDERS


class Mask:
    """Replaces secrets by `[masked: KIND]`, and remembers of which kinds there were."""

    def __init__(self, own: Collection[str] = ()) -> None:
        self._own = tuple(sorted(filter(_is_a_key, own), key=len, reverse=True))
        self._met: set[str] = set()

    @property
    def met(self) -> tuple[str, ...]:
        """The kinds of secrets that were masked, in order of name."""
        return tuple(sorted(self._met))

    def text(self, text: str) -> str:
        """`text` without secrets."""
        known = self.own_keys(text)
        if known != text:
            self._met.add(_OWN)
        return replaced(known, self._instead)

    def own_keys(self, text: str) -> str:
        """`text` without the keys of endpoints; for what comes back, too: some servers say what they were sent."""
        for key in self._own:
            text = text.replace(key, f"[masked: {_OWN}]")
        return text

    def within(self, value: JsonValue) -> JsonValue:
        """A JSON value with every string in it masked."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.within(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.within(each) for each in value]
        return value

    def _instead(self, kind: Kind, found: re.Match[str]) -> str:
        self._met.add(kind.name)
        return f"[masked: {kind.name}]"
