"""A grant put into, or taken out of, the person's own crew file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from contracts.config import HostConfig, ServerConfig, host_config
from contracts.manifest import Scope
from orchestrator.config import crew_file, load_crew
from orchestrator.errors import ConfigError
from orchestrator.hosts.files import Update, update
from orchestrator.hosts.formats import with_entry
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


def changed(name: str, what: Iterable[str], *, revoke: bool) -> ServerConfig | HostConfig:
    """The entry that stands for `name` once `what` is granted to it, or taken from it.

    Raises:
        ConfigError: `what` is not understood, or a host is given a scope.
    """
    scopes, calls = sorted_out(what)
    config = load_crew()

    def settled(before: tuple[str, ...], words: tuple[str, ...]) -> tuple[str, ...]:
        kept = tuple(each for each in before if each not in words)
        return kept if revoke else (*kept, *words)

    if name.startswith(HOST_PREFIX):
        if scopes:
            raise ConfigError(str(crew_file()), scopes[0], "a scope is for servers", "A host is granted tools only.")
        host = host_config(config.hosts, name.removeprefix(HOST_PREFIX))
        return host.model_copy(update={"calls": settled(host.calls, calls)})
    server = config.servers.get(name) or ServerConfig()
    return server.model_copy(update={"scopes": settled(server.scopes, scopes), "calls": settled(server.calls, calls)})


def write(name: str, entry: ServerConfig | HostConfig, now: datetime) -> Update:
    """Put `entry` into the person's own crew file, which is kept as it was beside it; all else there stays.

    Raises:
        ConfigError, EditError: it cannot be written; nothing was.
    """
    host = name.startswith(HOST_PREFIX)
    section, key = ("hosts", name.removeprefix(HOST_PREFIX)) if host else ("servers", name)
    always = ("calls",) if host else ("calls", "scopes")
    said = {each: value for each, value in entry.model_dump(mode="json").items() if value or each in always}
    return update(crew_file(), lambda text: with_entry(Toml(), text, section, key, said), now)
