"""Loads an agent of a person's own: one Python file with one specialist in it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import cast

from contracts.manifest import Manifest
from servers.specialist import Specialist


def load_agent(file: Path) -> type[Specialist]:
    """The one class in `file` that has a `manifest`.

    Importing runs the file's code: only a process that is confined calls this.

    Raises:
        OSError: the file cannot be read.
        ImportError: it is no Python file, or has no specialist in it, or several.
        SyntaxError: it is no Python.
    """
    name = f"podium_agent_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError("an agent is a Python file whose name ends with .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # its models look up their annotations there
    spec.loader.exec_module(module)
    found = [
        each
        for each in vars(module).values()
        if isinstance(each, type) and each.__module__ == name and isinstance(getattr(each, "manifest", None), Manifest)
    ]
    if len(found) != 1:
        raise ImportError(f"expected one class with a `manifest`, found {len(found)}")
    return cast(type[Specialist], found[0])
