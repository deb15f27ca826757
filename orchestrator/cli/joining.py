"""From what a person typed to who joins the crew."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from contracts.config import Joining, ServerConfig
from orchestrator.agent_name import agent_name
from orchestrator.cli.trouble import trouble

_MEANT = {"name": "name"}


def joining(
    what: Sequence[str],
    name: str,
    url: str,
    grants: Iterable[str],
    env: Iterable[str],
    environment: Mapping[str, str] = os.environ,
) -> Joining:
    """Who is meant: an agent's file, a command, or a server behind `url`; under `name`, or the name the file gives.

    Raises:
        Trouble: that is not clear, or not there.
    """
    if bool(what) == bool(url):
        raise trouble("Nothing, or two things, to serve.", "Name an agent's file, a command, or --url.", code=2)
    agent = len(what) == 1 and what[0].endswith(".py")
    start: dict[str, object] = {"url": url}
    if agent:
        file = Path(what[0]).absolute()
        start, name = {"agent": str(file)}, name or _name_in(file)
    elif what:
        start = {"command": (_program(what[0]), *what[1:]), "env": tuple(_variable(each, environment) for each in env)}
    if not name:
        raise trouble("It has no name.", "Give it one: --name NAME.", code=2)
    granted = [_absolute(each) for each in grants]
    try:
        server = ServerConfig.model_validate(
            {
                **start,
                "scopes": tuple(each for each in granted if ":" in each),
                "calls": tuple(each for each in granted if ":" not in each),
            }
        )
        return Joining(name=name, server=server)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False)[0]
        told = f"{first['input']!r} is no {_MEANT.get(str(first['loc'][0]), 'grant')}: {first['msg']}."
        raise trouble(told, "`podium serve --help` has examples.", code=2) from wrong


def _name_in(file: Path) -> str:
    try:
        return agent_name(file)
    except (OSError, SyntaxError, ValueError) as wrong:
        raise trouble(f"{file}: {wrong}.", "An agent is a Python file.", code=2) from wrong


def _program(command: str) -> str:
    """Where the person's own shell would find it: the crew may have been started from another."""
    found = shutil.which(command)
    if found is None:
        raise trouble(f"There is no program {command}.", "Install it, or name it by its path.", code=2)
    return os.path.abspath(found)


def _variable(given: str, environment: Mapping[str, str]) -> tuple[str, str]:
    name, set_here, value = given.partition("=")
    if not set_here and name not in environment:
        raise trouble(f"{name} is not set.", "Write --env NAME=VALUE, or export it.", code=2)
    return name, value if set_here else environment[name]


def _absolute(grant: str) -> str:
    """A grant of files with a path that means the same everywhere."""
    kind, how, path = [*grant.split(":", 2), "", ""][:3]
    return f"files:{how}:{Path(path).expanduser().absolute()}" if kind == "files" and path else grant
