"""Node ids."""

from __future__ import annotations


def under(case: str, name: str) -> bool:
    """Whether a node id is, or lies below, what was asked for (a folder, file, class or parametrised test)."""
    while name.startswith("./"):
        name = name[2:]
    name = name.rstrip("/")
    return case == name or name in ("", ".") or case.startswith((name + "::", name + "[", name + "/"))
