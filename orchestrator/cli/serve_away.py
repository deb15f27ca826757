"""`podium serve NAME --away`: this process becomes the one that has the specialist here, see `servers/away`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from bus.connect import URL_ENV
from orchestrator import config
from orchestrator.cli.trouble import trouble
from orchestrator.house import state_dir

_PODIUM = Path(__file__).resolve().parents[2]


def serve_away(what: Sequence[str], key: Path | None, python: Path | None, others: Mapping[str, object]) -> NoReturn:
    """Serve the one specialist that `what` names, on the bus of a crew elsewhere; `others` are other options.

    Raises:
        Trouble: it is not said which, or where, or by which key; or something else was asked for too.
    """
    if given := ", ".join(option for option, value in others.items() if value):
        raise trouble(f"{given} has no meaning with --away.", "What it may do stands in the crew file.", code=2)
    if len(what) != 1:
        raise trouble("With --away one specialist is served.", "Name it: `podium serve NAME --away`.", code=2)
    (name,) = what
    if key is None:
        way_out = f"On the crew's machine: `podium agents key {name} FILE`. Carry FILE here, and say --key FILE."
        raise trouble(f"It has no key to be {name} by.", way_out, code=2)
    url = os.environ.get(URL_ENV, "")
    if not url:
        raise trouble(f"{URL_ENV} is not set.", "It says where the crew's broker is: nats://HOST:PORT.", code=2)
    command = [sys.executable, "-m", "servers.away", name, "--url", url, "--key", str(key.absolute())]
    command += ["--python", str(python.absolute())] if python else []
    command += ["--state", str(state_dir()), "--own-crew", str(config.crew_file())]
    # `-m` looks in the working directory first: that must be ours.
    os.chdir(_PODIUM)
    os.execve(sys.executable, command, {name: value for name, value in os.environ.items() if name != "PYTHONPATH"})
