"""A member of the crew: what the crew file grants it, and how it is made."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import cast

from contracts.config import ServerConfig
from contracts.pin import Pin
from servers.agent_file import load_agent
from servers.specialist import Room, Specialist, tool_names

CLASSES = {
    "repository": "servers.repository:Repository",
    "workspace": "servers.workspace:Workspace",
    "code_writer": "servers.code_writer:CodeWriter",
    "test_writer": "servers.test_writer:TestWriter",
    "test_runner": "servers.test_runner:TestRunner",
    "static_analyzer": "servers.static_analyzer:StaticAnalyzer",
    "model": "servers.model:ModelServer",
}
"""Podium's own servers: name to `module:class`."""

PACK = "workspace.pack"
"""The tool by which a tree is read where it does not lie."""


def load_own(name: str) -> type[Specialist]:
    """The class of one of Podium's own servers."""
    module, _, kind = CLASSES[name].partition(":")
    return cast(type[Specialist], getattr(importlib.import_module(module), kind))


class CrewError(Exception):
    """The crew file asks for something that is not there; says what and where."""


class Member(ServerConfig):
    """One server of the crew and its grant."""

    name: str
    pin: Pin | None = None
    """The definitions of its tools that were approved, where it is not one of Podium's own."""

    @property
    def own(self) -> bool:
        """Whether it is one of Podium's own, imported once and shared."""
        return not (self.agent or self.foreign)

    @property
    def foreign(self) -> bool:
        """Whether it is any MCP server, which a bridge puts on the bus."""
        return bool(self.command or self.url)

    def load(self) -> type[Specialist]:
        """Its class, where it has one. An agent of a person's own is imported here: call this where it is confined.

        Raises:
            CrewError: it cannot be loaded, or asks for more than it is granted.
        """
        if self.own:
            found = load_own(self.name)
        else:
            try:
                found = load_agent(Path(self.agent))
            except (ImportError, OSError, SyntaxError) as wrong:
                raise CrewError(f"{self.agent}: {wrong}") from wrong
        manifest = found.manifest
        missing = sorted({*manifest.scopes, *manifest.calls} - {*self.scopes, *self.calls})
        if missing:
            needs = ", ".join(missing)
            raise CrewError(f"{self.name} needs {needs}, which the crew file does not grant")
        return found

    def build(self, room: Room) -> Specialist:
        """An instance that works in `room`."""
        make = cast("type[_Buildable]", self.load())
        return make(room)

    @property
    def may_call(self) -> tuple[str, ...]:
        """Tools of others that it may call: as granted, and the one that brings runs' trees to who may read them."""
        reads = "work:read" in self.scopes and "work:write" not in self.scopes
        return (*self.calls, *((PACK,) if reads and not PACK.startswith(f"{self.name}.") else ()))

    @property
    def reading(self) -> frozenset[str]:
        """Its tools that change nothing: as its class says, or else as a person approved them."""
        if self.own:
            return tool_names(load_own(self.name), read_only=True)
        return frozenset(tool.name for tool in self.pin.tools if tool.read_only) if self.pin else frozenset()


class _Buildable(Specialist):
    def __init__(self, room: Room) -> None: ...
