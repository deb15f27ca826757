"""Which program runs a project's tests, and what of the machine it needs to read."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from contracts.base import Model
from contracts.run_settings import RunSettings
from servers.specialist import ToolError
from servers.testing.plugins import plugin_environment


class TestTable(Model):
    """`[test]` of a project's `podium.toml`."""

    __test__ = False

    python: str | None = None
    """The project's interpreter; a relative path starts at the tree."""
    command: tuple[str, ...] = ()
    """Run instead of pytest; writes JUnit XML to `junit`."""
    junit: str | None = None


@dataclass(frozen=True)
class Program:
    """How the tests are started. With `command`, `python` only lends its folder to PATH."""

    python: Path
    read_only: tuple[Path, ...]
    command: tuple[str, ...] = ()
    junit: str = ""
    env: Mapping[str, str] = field(default_factory=dict[str, str])


def program(tree: Path, settings_file: Path) -> Program:
    """The tree's own `podium.toml`, else what intake found in the person's checkout, else Podium's interpreter.

    Raises:
        ToolError: invalid, when a file does not say it right or the interpreter is none.
    """
    table = _table(tree / "podium.toml")
    settings = _settings(settings_file)
    command = table.command or settings.test_command
    junit = (table.junit if table.command else settings.junit) or ""
    if command and not junit:
        raise ToolError(
            "invalid",
            "podium.toml: [test] command needs junit, the path of the XML file it writes",
            way_out='Add e.g. junit = "report.xml" to [test].',
        )
    named = table.python and (tree / table.python)
    if not named or not named.exists():
        named = Path(settings.python) if settings.python else named
    python = Path(os.path.abspath(named or sys.executable))
    env = {} if named or command else plugin_environment(tree)
    return Program(python, interpreter_paths(python), command, junit, env)


def interpreter_paths(python: Path) -> tuple[Path, ...]:
    """Folders the interpreter reads from, found without running it: its own prefix and its base's.

    A virtual environment's `bin/python` is a chain of links to its base's (PEP 405); each hop counts, since the
    environment names its base by one of them. This looks at names only, because the process that asks may not be
    allowed to open anything there. The system's own folders are not named.

    Raises:
        ToolError: invalid, when there is no Python there.
    """
    if not python.exists():
        raise ToolError("invalid", f"the project's interpreter {python} does not exist", way_out=_WAY_OUT)
    prefixes = [hop.parent.parent for hop in (*_hops(python), python.resolve())]
    if not any(_has_library(prefix) for prefix in prefixes):
        raise ToolError("invalid", f"{python} has no Python library beside it", way_out=_WAY_OUT)
    granted: dict[Path, None] = {}
    for prefix in prefixes:
        if prefix.is_relative_to("/usr") or prefix == Path("/"):
            continue
        if Path.home().is_relative_to(prefix):
            raise ToolError(
                "invalid", f"{python} would open {prefix}, which holds your home folder, to the tests", way_out=_WAY_OUT
            )
        granted[prefix] = None
    return tuple(granted)


_WAY_OUT = 'Name a virtual environment\'s interpreter: [test] python = ".venv/bin/python" in podium.toml.'


def _hops(python: Path) -> list[Path]:
    hops = [python]
    while hops[-1].is_symlink() and len(hops) < 40:
        hops.append(Path(os.path.normpath(hops[-1].parent / os.readlink(hops[-1]))))
    return hops


def _has_library(prefix: Path) -> bool:
    return any((prefix / f"lib/python3.{minor}/os.py").exists() for minor in range(8, 30))


def _table(file: Path) -> TestTable:
    if not file.is_file() or file.is_symlink():
        return TestTable()
    try:
        return TestTable.model_validate(tomllib.loads(file.read_text(encoding="utf-8")).get("test", {}))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise ToolError("invalid", f"podium.toml cannot be read: {wrong}") from wrong
    except ValidationError as wrong:
        said = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in wrong.errors())
        raise ToolError("invalid", f"podium.toml, [test]: {said}") from wrong


def _settings(file: Path) -> RunSettings:
    try:
        return RunSettings.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return RunSettings()
    except ValidationError as wrong:
        raise ToolError("invalid", f"{file.name} of the run cannot be read: {wrong}") from wrong
