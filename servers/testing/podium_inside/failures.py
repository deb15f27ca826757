"""What is told of a failure: its last line, the capped report, and the frames inside the tree."""

from __future__ import annotations

import linecache
import os
from types import TracebackType
from typing import Any, TypedDict

FRAMES = 50
"""Outermost and innermost halves are kept; what a runaway recursion repeats between is not."""
MESSAGE = 1000
DETAIL = 8000


class FrameLine(TypedDict):
    """One line of a traceback inside the tree."""

    path: str
    line: int
    function: str
    text: str


class Told(TypedDict):
    """A failure in words."""

    message: str
    detail: str
    frames: list[FrameLine]


def frames(traceback: TracebackType | None, root: str) -> list[FrameLine]:
    """Frames of files below `root`, outermost first."""
    found: list[tuple[str, int, str, str]] = []
    prefix = root + os.sep
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_filename.startswith(prefix):
            found.append((code.co_filename, traceback.tb_lineno or 1, code.co_name, code.co_filename[len(prefix) :]))
        traceback = traceback.tb_next
    if len(found) > FRAMES:
        found = found[: FRAMES // 2] + found[-FRAMES // 2 :]
    return [
        {"path": path, "line": line, "function": name, "text": linecache.getline(file, line).strip()[:500]}
        for file, line, name, path in found
    ]


def message(error: BaseException) -> str:
    """`ExceptionType: text`, on one line; a `__str__` that raises is not the test's outcome."""
    try:
        text = str(error)
    except Exception as second:
        text = f"<str() raised {type(second).__name__}>"
    text = " ".join(text[:MESSAGE].split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def capped(text: str) -> str:
    """Head and tail of a long report."""
    if len(text) <= DETAIL:
        return text
    half = DETAIL // 2
    return f"{text[:half]}\n[… {len(text) - DETAIL} characters left out …]\n{text[-half:]}"


def told(excinfo: Any, longrepr: object, root: str) -> Told:
    """`excinfo` is pytest's `ExceptionInfo`, or None where only a report is left."""
    detail = capped(str(longrepr)) if longrepr else ""
    if excinfo is None:
        lines = [line for line in detail.splitlines() if line.strip()]
        return {"message": lines[-1].strip()[:MESSAGE] if lines else "", "detail": detail, "frames": []}
    error: BaseException = excinfo.value
    if type(error).__name__ == "CollectError" and error.__cause__ is not None:
        error = error.__cause__  # pytest wraps what the import raised
    return {"message": message(error), "detail": detail, "frames": frames(error.__traceback__, root)}
