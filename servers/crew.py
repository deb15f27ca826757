"""Who is in the crew: where each member's class is, and what it is granted."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from bus.grants import Grant
from contracts.base import Model
from contracts.config import CrewConfig
from contracts.manifest import Scope
from servers.specialist import Room, Specialist

CLASSES = {
    "repository": "servers.repository:Repository",
    "workspace": "servers.workspace:Workspace",
    "code_writer": "servers.code_writer:CodeWriter",
    "test_writer": "servers.test_writer:TestWriter",
    "test_runner": "servers.test_runner:TestRunner",
    "static_analyzer": "servers.static_analyzer:StaticAnalyzer",
    "model": "servers.model:ModelServer",
}
"""Server name to `module:class`."""

CREW_FILE = Path(__file__).resolve().parent.parent / "configs" / "crew.toml"
"""The crew that ships with Podium."""

OPERATOR, ORCHESTRATOR, PERSON, AUDITOR = "operator", "orchestrator", "person", "auditor"


class CrewError(Exception):
    """The crew file asks for something that is not there; says what and where."""


class Member(Model):
    """One server of the crew and its grant."""

    name: str
    scopes: tuple[Scope, ...]
    calls: tuple[str, ...]

    def load(self) -> type[Specialist]:
        """Import its class.

        Raises:
            CrewError: it asks for more than it is granted.
        """
        module, _, name = CLASSES[self.name].partition(":")
        found = cast(type[Specialist], getattr(importlib.import_module(module), name))
        manifest = found.manifest
        missing = [*(set(manifest.scopes) - set(self.scopes)), *(set(manifest.calls) - set(self.calls))]
        if missing:
            raise CrewError(f"{self.name} needs {', '.join(sorted(missing))}, which the crew file does not grant")
        return found

    def build(self, room: Room) -> Specialist:
        """An instance that works in `room`."""
        make = cast("type[_Buildable]", self.load())
        return make(room)


class _Buildable(Specialist):
    def __init__(self, room: Room) -> None: ...


def read_crew(path: Path) -> tuple[Member, ...]:
    """The members a crew file names.

    Raises:
        CrewError: it cannot be read, or names a server that is not there.
    """
    try:
        config = CrewConfig.model_validate(tomllib.loads(path.read_text()))
    except (OSError, ValueError) as wrong:
        raise CrewError(f"{path.name}: {wrong}") from wrong
    unknown = sorted(set(config.servers) - set(CLASSES))
    if unknown:
        raise CrewError(f"{path.name}: no such server: {', '.join(unknown)}; there are {', '.join(sorted(CLASSES))}")
    return tuple(Member(name=name, scopes=one.scopes, calls=one.calls) for name, one in config.servers.items())


def grants(members: tuple[Member, ...]) -> tuple[Grant, ...]:
    """What every identity of a house may do on the bus."""
    names = tuple(member.name for member in members)
    everything = tuple(f"{name}.*" for name in names)
    return (
        Grant(OPERATOR, operates=True),
        Grant(ORCHESTRATOR, calls=everything, decides_runs=True, decides_gates=True),
        Grant(PERSON, decides_gates=True),
        Grant(AUDITOR, reads_ledger=names),
        *(
            Grant(member.name, serves=True, calls=member.calls, accounts="net:model" in member.scopes)
            for member in members
        ),
    )


def callers(members: tuple[Member, ...], server: str) -> Mapping[str, frozenset[str]]:
    """Who may call which of `server`'s tools (`*`: all of them), for the check inside the process."""
    allowed: dict[str, frozenset[str]] = {}
    for grant in grants(members):
        tools = {call.partition(".")[2] for call in grant.calls if call.partition(".")[0] == server}
        if tools:
            allowed[grant.name] = frozenset(tools)
    return allowed
