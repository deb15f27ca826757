"""Who is in the crew and which hosts may call it: what the crew files say, and what each identity may therefore do."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from bus import grants as bus_grants
from bus.grants import AUDITOR, NOTARY, OPERATOR, PERSON, RUNS_CALLER, check_calls, host_identity, name_problem
from bus.subjects import crew_note
from contracts.config import CrewConfig, Grant, HostConfig, Joining, ServerConfig, host_config
from contracts.crew_note import Granted, Pinned
from contracts.terms import GATEWAY
from servers.approval import read_pin
from servers.crew_member import CLASSES, PACK, CrewError, Member, load_own
from servers.specialist import tool_names

CREW_FILE = Path(__file__).resolve().parent.parent / "configs" / "crew.toml"
"""The crew that ships with Podium."""


@dataclass(frozen=True)
class Crew:
    """The servers that are to run, what hosts may be granted, and the hosts that are here."""

    members: tuple[Member, ...]
    hosts: Mapping[str, HostConfig] = field(default_factory=dict[str, HostConfig])
    promised: Mapping[str, Grant] = field(default_factory=dict[str, Grant])
    """What servers are granted that are started by somebody else and join under that name."""
    present: tuple[Joining, ...] = ()
    own_file: Path | None = None
    """A person's own crew file, beside which the pins of their servers lie."""
    key_max_age_days: int | None = None

    def __post_init__(self) -> None:
        """A server that calls others keeps its place at work meanwhile, so in a circle all could wait for one another.

        Raises:
            CrewError: servers may call each other in a circle.
        """
        callees = {each.name: {call.partition(".")[0] for call in each.may_call} for each in self.members}
        try:
            TopologicalSorter(callees).prepare()
        except CycleError as wrong:
            circle = " → ".join(reversed(wrong.args[1]))
            raise CrewError(
                f"servers may not call each other in a circle, as all of {circle} could wait for ever"
            ) from wrong

    @property
    def by_name(self) -> dict[str, Member]:
        """The members by their names."""
        return {member.name: member for member in self.members}

    @property
    def at_home(self) -> dict[str, Member]:
        """Those that the house starts, by their names."""
        return {name: member for name, member in self.by_name.items() if not member.away}

    def admitting(self, joining: Joining) -> Crew:
        """With whoever asks to join now. Later a host stays, whatever becomes of its grant.

        Raises:
            CrewError: as `joined_by`, or the host is here on other terms, or has no right at a server that it names.
        """
        if joining.server is None:
            if any(host.name == joining.name for host in self.present):
                raise CrewError(f"host {joining.name} is here already, with other rights; take another --host name")
            granted = {call.partition(".")[0] for call in self._granted(joining.name)}
            if beyond := sorted(joining.terms.only - granted - {GATEWAY}):
                there = ", ".join(sorted(self.by_name))
                raise CrewError(f"host {joining.name} was not granted {', '.join(beyond)}; the crew has {there}")
        return self.joined_by(joining)

    def joined_by(self, joining: Joining) -> Crew:
        """With who has joined.

        Raises:
            CrewError: the server's name is taken, or it cannot be started.
        """
        if joining.server is None:
            return replace(self, present=(*self.present, joining))
        if any(member.name == joining.name for member in self.members):
            raise CrewError(f"there is a server {joining.name} in the crew already")
        _check_name(joining.name)
        fresh = self._with_promise(_member(joining.name, joining.server, self.own_file))
        if fresh.own:
            raise CrewError(f"{joining.name}: neither an agent's file nor a command nor a URL to start it by")
        return replace(self, members=(*self.members, fresh))

    def _with_promise(self, member: Member) -> Member:
        promise = self.promised.get(member.name, Grant())
        scopes, calls = (*member.scopes, *promise.scopes), (*member.calls, *promise.calls)
        granted = {"scopes": tuple(dict.fromkeys(scopes)), "calls": tuple(dict.fromkeys(calls))}
        return member.model_copy(update=promise.model_dump(exclude_unset=True) | granted)

    def without(self, joining: Joining) -> Crew:
        """After it has left."""
        if joining.server is None:
            return replace(self, present=tuple(each for each in self.present if each != joining))
        return replace(self, members=tuple(each for each in self.members if each.name != joining.name))

    def grants(self) -> tuple[bus_grants.Grant, ...]:
        """What every identity may do on the bus."""
        names = tuple(member.name for member in self.members)
        everything = tuple(f"{name}.*" for name in names)
        return (
            bus_grants.Grant(OPERATOR, operates=True),
            bus_grants.Grant(RUNS_CALLER, calls=everything, decides_runs=True, decides_gates=True),
            bus_grants.Grant(PERSON, decides_gates=True),
            bus_grants.Grant(AUDITOR, reads_ledger=names, reads_all=True),
            bus_grants.Grant(NOTARY, reads_all=True, notarizes=True),
            *(
                bus_grants.Grant(
                    member.name,
                    serves=True,
                    concurrency=member.concurrency,
                    calls=tuple(call for call in member.may_call if call != PACK or "workspace" in names),
                    accounts="net:model" in member.scopes,
                )
                for member in self.members
            ),
            *(
                bus_grants.Grant(
                    host_identity(host.name), calls=self._calls_of(host), hosts=True, decides_gates=host.terms.decides
                )
                for host in self.present
            ),
        )

    def notes(self) -> dict[str, Granted | Pinned]:
        """What the ledger is to say of members and hosts that are here, by subject."""
        found: dict[str, Granted | Pinned] = {}
        for member in self.members:
            held = Granted(scopes=member.scopes, calls=member.may_call)
            found[crew_note(member.name, "granted")] = held
            if member.pin is not None:
                found[crew_note(member.name, "pinned")] = Pinned.of(member.pin)
        for host in self.present:
            found[crew_note(host_identity(host.name), "granted")] = Granted(calls=self._calls_of(host))
        return found

    def load_own(self) -> None:
        """Import Podium's own members.

        Raises:
            CrewError: one is not granted what it needs.
        """
        for member in self.members:
            if member.own:
                member.load()

    def unknown(self) -> tuple[str, ...]:
        """Grants in the crew files of tools that Podium's own servers do not have, as sentences."""
        said = {
            **{member.name: member.calls for member in self.members},
            **{name: grant.calls for name, grant in self.promised.items()},
            **{f"host:{name}": host.calls for name, host in self.hosts.items()},
        }
        return tuple(check_calls(said, {one.name: tool_names(load_own(one.name)) for one in self.members if one.own}))

    def _calls_of(self, host: Joining) -> tuple[str, ...]:
        members = self.by_name
        return host.terms.of(
            self._granted(host.name), lambda server: sorted(members[server].reading) if server in members else ()
        )

    def _granted(self, host: str) -> tuple[str, ...]:
        return host_config(self.hosts, host).granted({each.name: each.scopes for each in self.members})


def _check_name(server: str) -> None:
    if wrong := name_problem(server):
        raise CrewError(wrong)


def read_crew(shipped: Path, own: Path | None = None) -> Crew:
    """The crew that the shipped file and a person's own name; where both have an entry, their own counts.

    Raises:
        CrewError: one cannot be read, or has one of Podium's own servers started by something else.
    """
    config = _read(shipped)
    if own and own.exists():
        config = _read(own).over(config)
    servers: list[Member] = []
    promised: dict[str, Grant] = {}
    for name, one in config.servers.items():
        _check_name(name)
        member = _member(name, one, own)
        if name in CLASSES and not member.own:
            raise CrewError(f"{name} is Podium's own and is started by nothing else")
        if member.away and name not in CLASSES:
            raise CrewError(f"{name} is none of Podium's own, and only those can be away")
        if member.own and name not in CLASSES:
            promised[name] = Grant.model_validate(one.model_dump(include={*Grant.model_fields}, exclude_unset=True))
        else:
            servers.append(member)
    return Crew(tuple(servers), config.hosts, promised, own_file=own, key_max_age_days=config.key_max_age_days)


def _read(path: Path) -> CrewConfig:
    try:
        return CrewConfig.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as wrong:
        raise CrewError(f"{path}: {wrong}") from wrong


def _member(name: str, config: ServerConfig, own_file: Path | None) -> Member:
    fresh = Member(name=name, **config.model_dump())
    return fresh if fresh.own or own_file is None else fresh.model_copy(update={"pin": read_pin(own_file, name)})
