"""Make what untrusted programs printed safe to show."""

from __future__ import annotations

import re

_ESCAPES = re.compile(
    r"""\x1b\[[0-?]*[ -/]*[@-~]            # CSI: colours, cursor
      | \x1b[\]PX^_].*?(?:\x07|\x1b\\|$)   # OSC, DCS, SOS, PM, APC: titles, links, clipboard
      | \x1b[ -/]*[0-~]                    # two-character escapes
      | \x9b[0-?]*[ -/]*[@-~]              # CSI in its 8-bit form
    """,
    re.VERBOSE | re.DOTALL,
)
_KEPT = {"\n": "\n", "\t": "\t"}
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def plain(text: bytes) -> str:
    """`text` as UTF-8 without terminal control: escape sequences go, other controls become visible.

    `\\r\\n` reads as `\\n`; a lone carriage return, which would overwrite the line, becomes `\\n` too.
    Bidirectional overrides (CVE-2021-42574) are shown as their code point.
    """
    decoded = text.decode("utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    return "".join(map(_visible, _ESCAPES.sub("", decoded)))


def _visible(character: str) -> str:
    code = ord(character)
    if code < 0x20 or code == 0x7F:
        return _KEPT.get(character) or chr(0x2400 + code if code != 0x7F else 0x2421)
    if 0x80 <= code <= 0x9F or character in _BIDI:
        return f"<U+{code:04X}>"
    return character
