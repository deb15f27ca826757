"""What may be called on behalf of a run: the check inside a server's process, behind its caller's own grant.

A grant says what somebody may ever call. A run's mandate says what its members may call for it: no more than their
grant, and nothing for whom its workflow does not employ. The orchestrator, which makes a run's own calls, needs none.
"""

from __future__ import annotations

from functools import partial

from pydantic import TypeAdapter, ValidationError

from bus.bus import Bus
from bus.errors import InvalidMessage
from bus.fresh import Fresh
from bus.granted import covered
from bus.grants import RUNS_CALLER, is_host
from bus.roster import LiveRoster
from bus.wire import JsonObject, as_object, correlation_of
from contracts.base import RunId
from contracts.failure import Failure
from contracts.ledger import MANDATES_BUCKET
from contracts.mandate import Mandate

_RUN = TypeAdapter[str](RunId)
_ENDED = b""
"""Stands in a mandate's place once the run has ended; a key that was removed could have been so by anybody's reply."""
_NOBODYS = Mandate(calls={})
"""Goes for what is not the orchestrator's: a run whose mandate somebody has written over is under way, for nobody."""


async def put_mandate(bus: Bus, run: str, mandate: Mandate) -> None:
    """Have `run` be under way, with this mandate; only who decides runs can.

    Raises:
        StoreRefused, BusUnavailable: see `Bus.store`.
    """
    await bus.put(MANDATES_BUCKET, run, mandate.canonical())


async def withdraw_mandate(bus: Bus, run: str) -> None:
    """Have `run` be under way no more. Safe to repeat.

    Raises:
        StoreRefused, BusUnavailable: see `Bus.store`.
    """
    await bus.put(MANDATES_BUCKET, run, _ENDED)


async def mandate_of(bus: Bus, run: str, roster: LiveRoster | None = None) -> Mandate | None:
    """The mandate of a run that is under way, as the orchestrator sealed it; None where it is not, or is no run's name.

    Raises:
        BusUnavailable: nobody can say.
    """
    try:
        name = _RUN.validate_python(run)
    except ValidationError:
        return None
    kept = await bus.last(f"KV_{MANDATES_BUCKET}", f"$KV.{MANDATES_BUCKET}.{name}")
    if kept is None:
        return None
    try:
        by = await (roster or LiveRoster(bus)).opened(kept.subject, kept.body, kept.headers, kept.stored_at)
        if by != RUNS_CALLER:
            return _NOBODYS
        return None if kept.body == _ENDED else Mandate.model_validate_json(kept.body)
    except (InvalidMessage, ValidationError):
        return _NOBODYS


class LiveMandates:
    """Mandates by run, as one server sees them."""

    def __init__(self, bus: Bus, roster: LiveRoster) -> None:
        self._me = bus.identity
        self._mandates = Fresh(partial(mandate_of, bus, roster=roster))

    async def refusal(self, caller: str, tool: str, message: JsonObject) -> Failure | None:
        """Why `caller` may not have this server's `tool` called with this request; None where it may.

        A call is made for the run that its `_meta` names. A member's is also for the run under way that its arguments
        name as `run`: else it could leave out the first, and act on any.

        Raises:
            BusUnavailable: nobody can say.
        """
        if caller == RUNS_CALLER:
            return None
        run, named = correlation_of(message).run, _named(message)
        if named not in ("", run) and not is_host(caller) and await self._mandates.get(named, _stands):
            if run:
                return _denied(
                    f"{caller} calls {self._me}.{tool} for {run}, and would have it act on {named}, which is under way",
                    "Name the run that the call is made for.",
                )
            run = named
        if not run:
            return None

        def lists(mandate: Mandate | None) -> bool:
            return mandate is not None and covered(mandate.calls.get(caller, ()), self._me, tool)

        mandate = await self._mandates.get(run, lists)
        if mandate is None:
            return _denied(
                f"{caller} calls {self._me}.{tool} for {run[:64]}, which is not under way",
                "Calls for a run are made between its begin and its end. One that an older Podium conducts has no "
                "mandate: interrupt it before the house is upgraded, and resume it then.",
            )
        if not lists(mandate):
            return _denied(
                f"{caller} was not given {self._me}.{tool} for {run}",
                "The run's workflow has to employ it; what is granted meanwhile counts once the run is resumed.",
            )
        return None


def _stands(mandate: Mandate | None) -> bool:
    return mandate is not None


def _named(message: JsonObject) -> str:
    """The run that a call's arguments name, if they do."""
    named = as_object(as_object(message.get("params")).get("arguments")).get("run")
    return named if isinstance(named, str) else ""


def _denied(message: str, way_out: str) -> Failure:
    return Failure(kind="denied", message=message, way_out=way_out)
