"""The formats of hosts' files, and the one way by which a file of any of them is changed. Pure.

Whatever a format did to the text, it is read again before anybody may write it: it has to say what it said before
and the entry, no less and no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, cast

from orchestrator.hosts.errors import EditError, Malformed

_BOM = "\ufeff"

Entry = Mapping[str, object]


class Format(Protocol):
    """What a format can do; each raises `EditError` where it cannot, `Malformed` where the text is not of it."""

    def read(self, text: str) -> dict[str, object]:
        """What the file says; nothing if it is empty."""
        ...

    def put(self, text: str, section: str, name: str, entry: Entry) -> str:
        """`text` with `entry` as `name` in `section`, in the place of one that is there."""
        ...

    def take(self, text: str, section: str, name: str) -> str:
        """`text` without that entry."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a file's text."""

    before: str
    after: str
    differs: tuple[str, ...] = ()
    """The keys in which an entry of that name, which is replaced, said something else."""


def with_entry(form: Format, text: str, section: str, name: str, entry: Entry) -> Change:
    """`text` with the entry; as it is, if one is there that says the same and whatever else somebody added to it.

    Raises:
        Malformed: the text is not of the format.
        EditError: it cannot be edited without a risk.
    """
    mark, bare = _split(text)
    before = _read(form, bare)
    servers = _servers(before, section)
    wanted = _servers(form.read(form.put("", section, name, entry)), section)[name]
    differs = _differences(servers[name], wanted) if name in servers else ()
    if name in servers and not differs:
        return Change(text, text)
    after = form.put(bare, section, name, entry)
    _check(form, after, section, before, {**servers, name: wanted})
    return Change(text, mark + after, differs)


def without_entry(form: Format, text: str, section: str, name: str) -> Change:
    """`text` without the entry; as it is, if there is none.

    Raises:
        Malformed: the text is not of the format.
        EditError: it cannot be edited without a risk.
    """
    mark, bare = _split(text)
    before = _read(form, bare)
    servers = _servers(before, section)
    if name not in servers:
        return Change(text, text)
    after = form.take(bare, section, name)
    _check(form, after, section, before, {key: value for key, value in servers.items() if key != name})
    return Change(text, mark + after)


def _split(text: str) -> tuple[str, str]:
    """The byte order mark, if there is one, and the rest."""
    return (_BOM, text[1:]) if text.startswith(_BOM) else ("", text)


def _read(form: Format, text: str) -> dict[str, object]:
    try:
        return form.read(text)
    except RecursionError:
        raise Malformed("it is nested too deeply") from None


def _servers(data: Mapping[str, object], section: str) -> Mapping[str, object]:
    found = cast("object", data.get(section) or {})
    if isinstance(found, dict):
        return cast("Mapping[str, object]", found)
    raise Malformed(f"`{section}` is not a table of servers")


def _differences(there: object, wanted: object) -> tuple[str, ...]:
    said = cast("Mapping[str, object]", there if isinstance(there, dict) else {})
    return tuple(key for key, value in cast("Mapping[str, object]", wanted).items() if said.get(key) != value)


def _check(form: Format, text: str, section: str, before: Mapping[str, object], servers: Mapping[str, object]) -> None:
    """See that `text` says what was said before, with `servers` in the section.

    Raises:
        EditError: it does not.
    """
    try:
        found = form.read(text)
        same = {**found, section: _servers(found, section)} == {**before, section: servers}
    except EditError:
        same = False
    if not same:
        raise EditError("it is written in a way in which it cannot be changed without changing something else")
