"""Which members can do their work alone."""

from __future__ import annotations

from contracts.failure import Failure
from contracts.manifest import Manifest
from servers.crew import Crew
from servers.crew_member import CLASSES, Member, load_own

_ALONE = frozenset({"work:read", "sandbox:run"})
"""What a member may need that a checkout and a sandbox are enough for."""


class CannotBeAlone(Exception):
    """There is no such member, or it needs more than a checkout; `failure` says what to do instead."""

    def __init__(self, message: str, way_out: str) -> None:
        super().__init__(message)
        self.failure = Failure(kind="invalid", message=message, way_out=way_out)


def fit_member(crew: Crew, name: str) -> Member:
    """The member `name`, with the rights that the crew files grant it.

    Raises:
        CannotBeAlone: it is none of Podium's own, or one that works with others, with a run or with a budget.
        CrewError: the crew files do not grant it what it needs.
    """
    member = crew.by_name.get(name)
    if member is None or not member.own:
        own = ", ".join(sorted(own for own in CLASSES if not why_not_alone(load_own(own).manifest)))
        raise CannotBeAlone(f"{name} is no specialist of Podium's own.", f"These can be served alone: {own}.")
    if why := why_not_alone(member.load().manifest):
        instead = f"`podium mcp --only {name}` offers it as a member of the crew, to a host that was granted it."
        raise CannotBeAlone(f"{name} cannot be served alone: {why}.", instead)
    return member


def why_not_alone(needs: Manifest) -> str:
    """What it needs that a checkout and a sandbox do not give; empty: nothing."""
    if needs.calls:
        return f"it calls {', '.join(dict.fromkeys(call.partition('.')[0] for call in needs.calls))}"
    if "net:model" in needs.scopes:
        return "it holds a key, and spends within the budget of a run"
    if "work:write" in needs.scopes:
        return "it writes the worktree of a run, and what it wrote here nobody would ever get"
    return "" if _ALONE.issuperset(needs.scopes) else f"it needs {', '.join(needs.scopes)}"
