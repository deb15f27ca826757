"""Text that people give in files and words: UTF-8, and nothing in it that is no text."""

from __future__ import annotations

import unicodedata
from typing import TextIO

from orchestrator.cli.trouble import trouble


def read(file: TextIO) -> str:
    """All of a file, without a byte order mark.

    Raises:
        Trouble: it is not UTF-8, or no plain text.
    """
    try:
        return plain(file.read().removeprefix("\ufeff"), file.name)
    except UnicodeDecodeError as error:
        raise trouble(f"{file.name} is not UTF-8: {error.reason}.", "Save it as UTF-8.", code=2) from error


def plain(text: str, what: str) -> str:
    """`text`, which `what` holds.

    Raises:
        Trouble: a character of it is none of text.
    """
    for char in text:
        if unicodedata.category(char) == "Cs":
            raise trouble(f"{what} is not UTF-8.", "Say it in UTF-8.", code=2)
        if unicodedata.category(char) == "Cc" and char not in "\n\r\t":
            raise trouble(f"{what} holds the control character U+{ord(char):04X}.", "Take it out.", code=2)
    return text
