"""Text from repositories, tests and patches, made safe to show.

It can neither command a terminal nor lie about the order of its characters.
"""

from __future__ import annotations

import unicodedata


def safe(text: str) -> str:
    """`text` with every control, bidirectional and invisible format character made visible as `\\x1b` or `\\u202e`.

    Line ends and tabs stay. Lone surrogates, which no terminal can print, are shown too.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(char) for char in text)


def line(text: str, limit: int = 200) -> str:
    """`text` as one safe line of at most `limit` characters."""
    flat = safe(" ".join(text.split()))
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def _shown(char: str) -> str:
    if char in "\n\t" or (char.isprintable() and unicodedata.category(char) != "Cf"):
        return char
    if unicodedata.category(char) in ("Zs",):
        return " "
    point = ord(char)
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def count(number: int, noun: str) -> str:
    """`3 tests`, `1 test`."""
    return (
        f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}{'es' if noun.endswith(('ch', 'sh', 's')) else 's'}"
    )


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
