"""A grant put into, or taken out of, the person's own crew file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from bus.grants import name_problem
from contracts.config import EVERY_SERVER, CrewConfig, HostConfig, ServerConfig, host_config
from contracts.manifest import Scope
from contracts.server_json import ServerJson
from orchestrator.config import CONFIGS, crew_file, load_crew, valid
from orchestrator.errors import ConfigError
from orchestrator.hosts.files import Update, update
from orchestrator.hosts.formats import Change, with_entry
from orchestrator.hosts.toml_edits import Toml

HOST_PREFIX = "host:"
"""Before a name that is a host's: `host:cursor`."""

_CALL = re.compile(r"[a-z][a-z0-9_-]*\.(\*|[^\s*]+)")
_scope = TypeAdapter[str](Scope)


def sorted_out(what: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(scopes, calls) among words that name either.

    Raises:
        ConfigError: a word is neither.
    """
    scopes: list[str] = []
    calls: list[str] = []
    for word in what:
        try:
            scopes.append(_scope.validate_python(word))
        except ValidationError:
            if word != "*" and not _CALL.fullmatch(word):
                raise ConfigError(
                    str(crew_file()),
                    word,
                    "neither a scope nor a tool",
                    "A tool is server.tool or server.*; scopes are work:read, work:write, sandbox:run, net:model, "
                    "files:read:/PATH, files:write:/PATH, net:connect:PORT.",
                ) from None
            calls.append(word)
    return tuple(scopes), tuple(calls)


def place_of(name: str) -> tuple[Literal["servers", "hosts"], str]:
    """Where what `name` may do stands in a crew file: the table, and the key in it.

    Raises:
        ConfigError: no server, or host, can have that name.
    """
    section: Literal["servers", "hosts"] = "hosts" if name.startswith(HOST_PREFIX) else "servers"
    key = name.removeprefix(HOST_PREFIX)
    try:
        CrewConfig.model_validate({section: {key: {}}})
    except ValidationError:
        way_out = "Take lower-case letters, digits, - and _, and begin with a letter; a host is host:NAME, or host:*."
        raise ConfigError(str(crew_file()), name, "no server or host can have that name", way_out) from None
    if section == "servers" and (wrong := name_problem(key)):
        raise ConfigError(str(crew_file()), "", wrong, "Take another name; a host is host:NAME.")
    return section, key


def changed(name: str, what: Iterable[str], *, revoke: bool) -> ServerConfig | HostConfig:
    """The entry that stands for `name` once `what` is granted to it, or taken from it.

    Raises:
        ConfigError: `what` is not understood, a host is given a scope, or what is to be taken is not held as such.
    """
    section, key = place_of(name)
    scopes, calls = sorted_out(what)
    config = load_crew()

    needed = _needed(key) if revoke and section == "servers" else set[str]()

    def settled(before: tuple[str, ...], words: tuple[str, ...]) -> tuple[str, ...]:
        for word in words if revoke else ():
            _must_hold(name, before, word)
            if word in needed:
                reason = f"{name} does not start without it"
                raise ConfigError(str(crew_file()), word, reason, "Without it there is no crew.")
        kept = tuple(each for each in before if each not in words)
        return kept if revoke else (*kept, *words)

    if section == "hosts":
        if scopes:
            raise ConfigError(str(crew_file()), scopes[0], "a scope is for servers", "A host is granted tools only.")
        host = host_config(config.hosts, key)
        return host.model_copy(update={"calls": settled(host.calls, calls)})
    server = config.servers.get(key) or ServerConfig()
    return server.model_copy(update={"scopes": settled(server.scopes, scopes), "calls": settled(server.calls, calls)})


def _needed(server: str) -> set[str]:
    """What one of Podium's own servers needs; nothing is known of others."""
    file = CONFIGS / "servers" / f"{server}.json"
    if not file.exists():
        return set()
    rights = ServerJson.model_validate_json(file.read_bytes()).meta.ours.rights
    return {*rights.scopes, *rights.calls}


def _must_hold(name: str, before: tuple[str, ...], word: str) -> None:
    if word in before:
        return
    wider = [each for each in (f"{word.partition('.')[0]}.*", EVERY_SERVER) if each in before and "." in word]
    if wider:
        reason = f"{name} holds it within `{wider[0]}` only"
        way_out = f"Grant what it is to keep (podium agents grant {name} TOOL…), then revoke '{wider[0]}'."
    else:
        reason = f"{name} is not granted that here; it is granted {', '.join(before) or 'nothing'}"
        way_out = "What `podium serve --grant` gave ends with that command."
    raise ConfigError(str(crew_file()), word, reason, way_out)


def write(name: str, entry: ServerConfig | HostConfig, now: datetime) -> Update:
    """Put `entry` into the person's own crew file, which is kept as it was beside it; all else there stays.

    Raises:
        ConfigError, EditError: it cannot be written, or would not be a crew file; nothing was.
    """
    section, key = place_of(name)
    always = ("calls",) if section == "hosts" else ("calls", "scopes")
    wanted = {*always, *entry.model_dump(exclude_defaults=True)}
    said = {each: value for each, value in entry.model_dump(mode="json").items() if each in wanted}

    def edit(text: str) -> Change:
        change = with_entry(Toml(), text, section, key, said)
        valid(crew_file(), Toml().read(change.after), CrewConfig)
        return change

    return update(crew_file(), edit, now)
