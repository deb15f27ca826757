"""Leaves pytest plugins out that Podium's own environment happens to hold and the project does not use.

Importing them takes several times what pytest itself takes, each time pytest is started. It is a question only
where the project has no interpreter of its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

OURS = {
    "anyio": "anyio",
    "hypothesispytest": "hypothesis",
    "platformdirs": "platformdirs",
    "rerunfailures": "(?:flaky|rerun)",
    "xdist": "xdist",
    "xdist.looponfail": "xdist",
}
"""Entry points that Podium's dependencies bring along, and the word, or words, one of which a project using one has."""
MAX_FILES = 2000
MAX_BYTES = 20 << 20
_CONFIGURATION = ("pyproject.toml", "pytest.ini", ".pytest.ini", "pytest.toml", "tox.ini", "setup.cfg")


def plugin_environment(tree: Path) -> dict[str, str]:
    """Variables that have pytest load only the plugins `tree` speaks of; none where that cannot be told."""
    installed = {entry.name for entry in entry_points(group="pytest11")}
    if not installed <= OURS.keys():
        return {}  # somebody installed plugins here on purpose; a fixture of theirs needs no mention
    left = set(installed)
    files = seen = 0
    for path in _texts(tree):
        try:
            text = path.read_bytes()
        except OSError:
            continue
        files, seen = files + 1, seen + len(text)
        if files > MAX_FILES or seen > MAX_BYTES or b"required_plugins" in text:
            return {}
        left -= {name for name in left if re.search(rb"\b%s" % OURS[name].encode(), text)}
        if not left:
            return {}
    named = " ".join(f"-p {name}" for name in sorted(installed - left))
    return {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": named}


def _texts(tree: Path) -> Iterator[Path]:
    """The project's Python files and what may configure pytest."""
    for folder, folders, names in os.walk(tree):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "node_modules"]
        for name in names:
            path = Path(folder, name)
            if (name.endswith(".py") or name in _CONFIGURATION) and path.is_file() and not path.is_symlink():
                yield path
