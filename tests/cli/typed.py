"""Files as the command line gives them."""

from __future__ import annotations

import io


def typed(text: str, name: str = "file.md") -> io.StringIO:
    """A file of this name with this text."""
    file = io.StringIO(text)
    file.name = name
    return file
