"""Which file of a commit configures pytest: the first that pytest itself would take. Pure.

See https://docs.pytest.org/en/stable/reference/customize.html, "Initialization: determining rootdir and configfile".
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable

from contracts.run_settings import PytestConfig

_OWN = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini")
"""They count wherever they are, even if empty."""


def pytest_config(read: Callable[[str], str | None]) -> PytestConfig:
    """The file, by what `read` says of names at the root; an empty one where nothing configures pytest."""
    speaks = {"pyproject.toml": _in_pyproject, "tox.ini": _section("pytest"), "setup.cfg": _section("tool:pytest")}
    for name in (*_OWN, *speaks):
        text = read(name)
        if text is not None and (name in _OWN or speaks[name](text)):
            return PytestConfig(name=name, text=text)
    return PytestConfig(name="pytest.ini", text="")


def _in_pyproject(text: str) -> bool:
    try:
        tool = tomllib.loads(text).get("tool")
    except tomllib.TOMLDecodeError:
        return True  # pytest says what is wrong with it
    return isinstance(tool, dict) and "pytest" in tool


def _section(name: str) -> Callable[[str], bool]:
    return lambda text: re.search(rf"(?m)^\[{name}\]", text) is not None
