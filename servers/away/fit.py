"""Which members can work on another machine than the runs' worktrees."""

from __future__ import annotations

from contracts.failure import Failure
from servers.crew import Crew
from servers.crew_member import Member

_READS_HISTORY = "repository"
"""It shows commits, too, and only trees travel."""


class BoundToTheHouse(Exception):
    """There is no such member, or it can work on the house's machine only; `failure` says why."""

    def __init__(self, message: str, way_out: str) -> None:
        super().__init__(message)
        self.failure = Failure(kind="invalid", message=message, way_out=way_out)


def fit_member(crew: Crew, name: str) -> Member:
    """The member `name`, with the rights that the crew files grant it.

    Raises:
        BoundToTheHouse: it is none of Podium's own, or works on the house's machine only.
        CrewError: the crew files do not grant it what it needs.
    """
    free = ", ".join(sorted(each.name for each in crew.members if not why_bound(each)))
    member = crew.by_name.get(name)
    if member is None:
        raise BoundToTheHouse(f"There is no {name} in the crew.", f"These can be served away: {free}.")
    if why := why_bound(member):
        raise BoundToTheHouse(f"{name} cannot be served away: {why}.", f"These can: {free}.")
    member.load()
    return member


def why_bound(member: Member) -> str:
    """Why it works on the house's machine only; empty: it need not."""
    if not member.own:
        return "it is none of Podium's own"
    if "work:write" in member.scopes:
        return "it writes runs' worktrees, and they lie on the house's machine"
    if "net:model" in member.scopes:
        return "it holds the keys of models, and they stay on the house's machine"
    return "it reads history, and only trees travel" if member.name == _READS_HISTORY else ""
