"""How a host starts Podium."""

from __future__ import annotations

import shutil
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.environment import ENVIRONMENT_ENV
from orchestrator.errors import CouldNot

CARRIED = (
    "PODIUM_STATE_DIR",
    ENVIRONMENT_ENV,
    "PODIUM_NATS_URL",
    "PODIUM_NATS_CREDS",
    "PODIUM_MODELS",
    "XDG_STATE_HOME",
    "XDG_CONFIG_HOME",
)
"""What says where ledger, broker and models are. Hosts do not pass a shell's variables on, and without these the same
person would have two ledgers. Keys are not among them: a host's file is no place for one."""


@dataclass(frozen=True, slots=True)
class Launch:
    """An absolute path, its arguments, and the variables that have to be set."""

    command: str
    args: tuple[str, ...]
    env: Mapping[str, str]


def launch(host: str, env: Mapping[str, str]) -> Launch:
    """How the Podium that runs now is started by `host`, under an identity of the host's own.

    Raises:
        CouldNot: it is not installed as a command.
    """
    scripts = sysconfig.get_path("scripts")
    command = shutil.which("podium", path=scripts)
    if command is None:
        raise CouldNot(f"There is no command `podium` in {scripts}.", "Install Podium there: `make demo`, or pip.")
    return Launch(command, ("mcp", "--host", host), {name: env[name] for name in CARRIED if env.get(name)})
