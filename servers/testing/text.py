"""Makes what a test said safe to show."""

from __future__ import annotations

from servers.sandbox.text import plain


def shown(text: str) -> str:
    """`plain` for text that arrived as JSON, lone surrogates included."""
    return plain(text.encode("utf-8", errors="replace"))
