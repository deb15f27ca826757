"""File names as they stand in a diff: git's C-style quoting (`git help config`, core.quotePath=false).

Bytes that are not UTF-8 are lone surrogates in `str`, as `os.fsdecode` makes them.
"""

from __future__ import annotations

import re

_ESCAPES = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}
_LETTERS = {code: letter for letter, code in _ESCAPES.items()}
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


def quote(name: str) -> str:
    """`name`, in quotes if it holds anything that is not plainly visible."""
    if all(char.isprintable() and char not in '"\\' for char in name):
        return name
    out = list[str]()
    for char in name:
        if char.isprintable() and char not in '"\\':
            out.append(char)
        else:
            raw = char.encode(errors="surrogateescape")
            out += [f"\\{_LETTERS[byte]}" if byte in _LETTERS else f"\\{byte:03o}" for byte in raw]
    return '"' + "".join(out) + '"'


def unquote(text: str) -> str:
    """The name `text` stands for.

    Raises:
        ValueError: a bad escape, or a control character that git would have quoted.
    """
    if not text.startswith('"'):
        if text.endswith("\r"):
            raise ValueError("the diff itself has CRLF line ends; it must be separated by LF")
        if any(ord(char) < 32 or ord(char) == 127 for char in text):
            raise ValueError(f"a control character in the name {text!r}")
        return text
    match = _QUOTED.fullmatch(text)
    if not match:
        raise ValueError(f"a quoted name that does not end: {text!r}")
    raw, body, at = bytearray(), match[1], 0
    while at < len(body):
        if body[at] != "\\":
            raw += body[at].encode(errors="surrogateescape")
            at += 1
        elif body[at + 1] in _ESCAPES:
            raw.append(_ESCAPES[body[at + 1]])
            at += 2
        elif re.fullmatch(r"[0-3][0-7]{2}", body[at + 1 : at + 4]):
            raw.append(int(body[at + 1 : at + 4], 8))
            at += 4
        else:
            raise ValueError(f"an unknown escape in the name {text!r}")
    return raw.decode(errors="surrogateescape")


def header_names(text: str) -> tuple[str, str] | None:
    """Both names of `diff --git <text>`; None where the line alone cannot tell them apart.

    Raises:
        ValueError: as `unquote`.
    """
    if text.startswith('"'):
        match = _QUOTED.match(text)
        if not match or text[match.end() : match.end() + 1] != " ":
            raise ValueError(f"two names are expected, found {text!r}")
        return unquote(match[0]), unquote(text[match.end() + 1 :])
    if text.endswith('"'):
        first, _, second = text.partition(' "')
        return unquote(first), unquote('"' + second)
    # Spaces are not quoted: the line says one name twice, so the cut is in the middle.
    half = len(text) // 2
    first, second = text[:half], text[half + 1 :]
    if text[half : half + 1] == " " and first.partition("/")[2] == second.partition("/")[2]:
        return unquote(first), unquote(second)
    return None
