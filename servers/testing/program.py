"""Which program runs a project's tests, and what of the machine it needs to read."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from contracts.run_settings import PytestConfig
from servers.run_folder import run_settings
from servers.specialist import ToolError
from servers.testing.plugins import plugin_environment


@dataclass(frozen=True)
class Program:
    """How the tests are started. With `command`, `python` only lends its folder to PATH."""

    python: Path
    read_only: tuple[Path, ...]
    command: tuple[str, ...] = ()
    junit: str = ""
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    pytest: PytestConfig | None = None

    def pin(self, tree: Path) -> str:
        """Put what configures pytest into the scratch copy `tree`, whatever stands there; its name, "" for none.

        A file that is pytest's alone is put where it was. Others, which the code under test may read and a change may
        have to touch, get a copy for pytest beside them.
        """
        if self.pytest is None:
            return ""
        name = self.pytest.name
        at = name if "pytest" in name else f".podium-pytest{Path(name).suffix}"
        (tree / at).unlink(missing_ok=True)  # it may be a link
        (tree / at).write_text(self.pytest.text, encoding="utf-8")
        return at


def program(tree: Path, settings_file: Path) -> Program:
    """What intake wrote down, else pytest with Podium's interpreter; `tree` has no say in it.

    Raises:
        ToolError: invalid, when the file does not say it right or the interpreter is none.
    """
    settings = run_settings(settings_file)
    python = Path(os.path.abspath(settings.python or sys.executable))
    env = {} if settings.python or settings.test_command else plugin_environment(tree)
    return Program(python, interpreter_paths(python), settings.test_command, settings.junit or "", env, settings.pytest)


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
