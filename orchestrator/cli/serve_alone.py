"""`podium serve NAME --stdio`: this process becomes the one that serves the specialist, see `servers/alone`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from contracts.run_settings import RunSettings
from orchestrator import config, intake
from orchestrator.cli.trouble import trouble
from orchestrator.house import state_dir

_PODIUM = Path(__file__).resolve().parents[2]


def serve_alone(what: Sequence[str], repo: Path, others: Mapping[str, object]) -> NoReturn:
    """Serve the one specialist that `what` names alone, on the checkout that holds `repo`; `others` are other options.

    Raises:
        Trouble: there is no such checkout, or something else was asked for too.
        ConfigError: its podium.toml is broken.
    """
    if given := ", ".join(option for option, value in others.items() if value):
        raise trouble(f"{given} has no meaning with --stdio.", "What it may do stands in the crew file.", code=2)
    if len(what) != 1:
        raise trouble("With --stdio one specialist is served.", "Name it: `podium serve NAME --stdio`.", code=2)
    (name,) = what
    command = [sys.executable, "-m", "servers.alone", name, *_about(repo)]
    # `-m` looks in the working directory first: that must be ours, never the repository a person stands in.
    os.chdir(_PODIUM)
    os.execve(sys.executable, command, {key: value for key, value in os.environ.items() if key != "PYTHONPATH"})


def _about(repo: Path) -> list[str]:
    try:
        root = intake.find_checkout(repo)
        python, ignored = intake.find_python(root), intake.ignore_file(root)
    except intake.IntakeError as error:
        raise trouble(error.message, error.way_out) from error
    test = config.load_project(root).test
    settings = RunSettings(python=str(python) if python else None, test_command=test.command, junit=test.junit)
    about = ["--checkout", str(root), "--settings", settings.model_dump_json()]
    about += ["--ignore-file", str(ignored)] if ignored else []
    return [*about, "--state", str(state_dir()), "--own-crew", str(config.crew_file())]
