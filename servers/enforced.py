"""What one scope opens at each of its enforcers: the difference that it makes to what they let through. Pure.

Nothing here says what a scope means. The functions that the enforcers go by are asked twice, with the scope and
without it, so that a table of the answers cannot drift from what is enforced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from bus.grants import Grant, Permissions, host_identity, permissions
from contracts.config import HostConfig, Joining, host_config
from servers.confine import Confinement
from servers.crew import Crew
from servers.crew_member import Member
from servers.handed import Handed, handed
from servers.place import Place
from servers.rights import policy_for, rules_for

T = TypeVar("T")

HOST = "desk"
"""Stands for every MCP host that the crew file does not name."""

YOURS = "yours"
"""Stands for a server of one's own, so that there is one that holds what none of Podium's does."""


_NO_KEYS: Mapping[str, str] = {}


@dataclass(frozen=True)
class Right:
    """One scope, or one call, of one identity, in a crew that grants it and in one that does not."""

    holder: str
    scope: str
    """As the crew file says it: `work:read`, or `server.tool` for a call."""
    granted: Crew = field(compare=False)
    withheld: Crew = field(compare=False)

    def __str__(self) -> str:
        return f"{self.holder} {self.scope}"

    @property
    def is_call(self) -> bool:
        """Whether it is the right to call somebody, not one over what a process may touch."""
        return ":" not in self.scope

    def grant(self, crew: Crew) -> Grant:
        """What its holder may do on the bus in one of the two crews."""
        return next(grant for grant in crew.grants() if grant.name == self.holder)


@dataclass(frozen=True)
class Kernel:
    """What the kernel lets a process do."""

    rules: Confinement
    sandbox: bool
    """Whether a keeper runs programs for it."""

    def __bool__(self) -> bool:
        return self.sandbox or self.rules != Confinement()


@dataclass(frozen=True)
class Inside:
    """What is let through in a server's own process."""

    calls: tuple[str, ...]
    """At the servers that are called."""
    handed: tuple[Handed, ...]
    """In the holder's."""

    def __bool__(self) -> bool:
        return bool(self.calls or self.handed)


def rights(crew: Crew) -> Iterator[Right]:
    """Every scope and call of every server in `crew`, and every call of a host that it does not name."""
    for member in crew.members:
        for name in ("scopes", "calls"):
            held: tuple[str, ...] = getattr(member, name)
            for one in held:
                less = member.model_copy(update={name: tuple(other for other in held if other != one)})
                members = tuple(less if other == member else other for other in crew.members)
                yield Right(member.name, one, crew, replace(crew, members=members))
    own = {member.name: member.scopes for member in crew.members if member.own}
    calls = host_config(crew.hosts, HOST).granted(own)
    for call in calls:
        less = tuple(other for other in calls if other != call)
        yield Right(host_identity(HOST), call, _with_host(crew, calls), _with_host(crew, less))


def _with_host(crew: Crew, calls: tuple[str, ...]) -> Crew:
    return replace(crew, hosts={HOST: HostConfig(calls=calls)}).joined_by(Joining(name=HOST))


def with_yours(crew: Crew, files: Path, port: int) -> Crew:
    """`crew`, and a server of one's own with a folder to read, one to write, and a port to connect to."""
    scopes = (f"files:read:{files}/read", f"files:write:{files}/write", f"net:connect:{port}")
    return replace(crew, members=(*crew.members, Member(name=YOURS, agent=f"{files}/yours.py", scopes=scopes)))


def at_broker(right: Right) -> Permissions:
    """The subjects it opens at the broker."""
    wide, narrow = (permissions(right.grant(crew)) for crew in (right.granted, right.withheld))
    return Permissions(_more(wide.publish, narrow.publish), _more(wide.subscribe, narrow.subscribe))


def in_kernel(right: Right, place: Place, keys: Mapping[str, str]) -> Kernel:
    """What it opens to its holder's process. `keys` are those of models, for whoever is handed them."""
    if right.holder not in right.granted.by_name:
        return Kernel(Confinement(), sandbox=False)  # a host's process is the host's own
    wide, narrow = (kernel(crew.by_name[right.holder], place, keys) for crew in (right.granted, right.withheld))
    readable = (*narrow.rules.read, *narrow.rules.write)
    return Kernel(
        Confinement(
            read=_more(wide.rules.read, readable),
            write=_more(wide.rules.write, narrow.rules.write),
            connect_ports=_more(wide.rules.connect_ports, narrow.rules.connect_ports),
            resolve=wide.rules.resolve and not narrow.rules.resolve,
            exec=wide.rules.exec and not narrow.rules.exec,
        ),
        sandbox=wide.sandbox and not narrow.sandbox,
    )


def kernel(member: Member, place: Place, keys: Mapping[str, str]) -> Kernel:
    """What a member's process is held to."""
    scratch = place.scratch(member.name)
    rules = rules_for(member, place, scratch, keys if "keys" in handed(member.scopes) else _NO_KEYS, {})
    return Kernel(rules, policy_for(member, place, scratch) is not None)


def inside(right: Right) -> Inside:
    """What it opens in the processes of servers."""
    calls = _more(right.grant(right.granted).calls, right.grant(right.withheld).calls)
    if right.holder not in right.granted.by_name:
        return Inside(calls, ())
    wide, narrow = (handed(crew.by_name[right.holder].scopes) for crew in (right.granted, right.withheld))
    return Inside(calls, tuple(sorted(wide - narrow)))


def _more(wide: tuple[T, ...], narrow: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(one for one in wide if one not in narrow)
