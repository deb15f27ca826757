"""The search first; the model only where the search finds nothing."""

from __future__ import annotations

from typing import Protocol

from contracts.code_writer import ProposeParams, ProposeResult, Tried
from contracts.failure import told
from servers.specialist import Call, Crew, ToolError
from servers.writing.asker import Asker


class Engine(Protocol):
    """A way to come by patches: searching for them, or asking a model."""

    async def propose(self, params: ProposeParams, call: Call) -> ProposeResult:
        """Proposals, best first; none is an answer too."""
        ...


class AutoEngine:
    """One engine after the other."""

    def __init__(self, crew: Crew, search: Engine, model: Engine) -> None:
        self._crew = crew
        self._search = search
        self._model = model

    async def propose(self, params: ProposeParams, call: Call) -> ProposeResult:
        """What the search proposes; if that is nothing, what the model does. The note says what happened.

        Raises:
            ToolError: as both engines say, but for a model that cannot be asked.
        """
        found = await self._search.propose(params, call)
        if found.proposals:
            return found
        if why_not := await self._why_not(params, call):
            words = f"The search found nothing. {found.note} The model was not asked: {why_not}"
            return found.model_copy(update={"note": words})
        asked = await self._model.propose(params, call)
        words = f"The search found nothing. {found.note} The model was asked then. {asked.note}"
        return asked.model_copy(update={"note": words, "tried": _together(found.tried, asked.tried)})

    async def _why_not(self, params: ProposeParams, call: Call) -> str:
        try:
            model = await Asker(self._crew, call, params.run).describe()
        except ToolError as error:
            return str(error.failure)
        return "" if model.ready else told(model.why_not or "it is not ready", model.way_out)


def _together(one: Tried, other: Tried) -> Tried:
    """What both tried; the rate and the end are the later one's."""
    return Tried(
        candidates=one.candidates + other.candidates,
        plausible=one.plausible + other.plausible,
        failing=one.failing + other.failing,
        regressed=one.regressed + other.regressed,
        hung=one.hung + other.hung,
        crashed=one.crashed + other.crashed,
        invalid=one.invalid + other.invalid,
        degenerate=one.degenerate + other.degenerate,
        elapsed_s=round(one.elapsed_s + other.elapsed_s, 3),
        per_s=other.per_s,
        ended=other.ended,
    )
