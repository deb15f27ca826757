"""The name an agent's file gives its agent, read without running the file."""

from __future__ import annotations

import ast
from pathlib import Path


def agent_name(file: Path) -> str:
    """What `Manifest(name="…")` says in it; "" where it says nothing so plain.

    Raises:
        OSError: the file cannot be read.
        SyntaxError, ValueError: it is no Python.
    """
    for node in ast.walk(ast.parse(file.read_bytes(), str(file))):
        if not isinstance(node, ast.Call) or _last_name(node.func) != "Manifest":
            continue
        for given in node.keywords:
            if given.arg == "name" and isinstance(given.value, ast.Constant) and isinstance(given.value.value, str):
                return given.value.value
    return ""


def _last_name(function: ast.expr) -> str:
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""
