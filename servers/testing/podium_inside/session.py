"""How pytest is started inside: the same options for a full run, a trace and a trial."""

from __future__ import annotations

import importlib.util
import os
import tempfile

import pytest

from .request import Request

_BY_NAME_ONLY = "PYTEST_DISABLE_PLUGIN_AUTOLOAD"


def options(request: Request, tests: list[str], *, past_errors: bool = False) -> list[str]:
    """Command-line arguments; they come after the project's own `addopts` and so overrule them.

    Nothing may be started in other processes (xdist), traced by others (cov), shuffled (randomly, random-order)
    or stopped early (`-x`), and no cache is left in the tree.
    """
    args = ["--rootdir", request.root, "--color=no", "--maxfail=0", "-p", "no:randomly", "-p", "no:random_order"]
    if request.config:
        args += ["-c", os.path.join(request.root, request.config)]
    args += ["-o", "cache_dir=" + os.path.join(tempfile.gettempdir(), "pytest-cache")]
    if past_errors:
        args.append("--continue-on-collection-errors")
    if _takes_part("xdist"):
        args += ["-n", "0"]
    if _takes_part("pytest_cov"):
        args.append("--no-cov")
    return [*args, "--", *tests] if tests else args


def _takes_part(plugin: str) -> bool:
    """Whether pytest loads a plugin that may be installed: options of one that it leaves out would be unknown to it."""
    named = f"-p {plugin}" in os.environ.get("PYTEST_ADDOPTS", "")
    return importlib.util.find_spec(plugin) is not None and (named or not os.environ.get(_BY_NAME_ONLY))


class Quiet:
    """A pytest plugin: what comes after collection is told on the channel only."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Take the terminal away."""
        manager = session.config.pluginmanager
        terminal = manager.get_plugin("terminalreporter")
        if terminal is not None:
            manager.unregister(terminal)


def run(args: list[str], plugins: list[object]) -> int:
    """pytest's exit status."""
    return int(pytest.main(args, plugins=plugins))
