"""What a run is given when it is taken up: no more than its members hold then, and than its task needs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from contracts.mandate import Mandate
from contracts.task import Engine
from contracts.workflow import Workflow

_MODEL = "model"


def mandate_for(workflow: Workflow, engine: Engine, granted: Mapping[str, Iterable[str]]) -> Mandate:
    """Of what is `granted` by name, what is for the servers that `workflow` employs, be it on each other's behalf.

    Nobody may ask a model where a person has asked for the search: the plan that they see has none in it.
    """
    held = {
        name: tuple(sorted(call for call in calls if engine != "search" or _server(call) != _MODEL))
        for name, calls in granted.items()
    }
    employed = set[str]()
    called = {_server(tool) for step in workflow.steps for tool in step.uses}
    while called:
        employed |= called
        called = {_server(call) for name in called for call in held.get(name, ())} - employed
    return Mandate(calls={name: held[name] for name in sorted(employed & held.keys()) if held[name]})


def _server(call: str) -> str:
    return call.partition(".")[0]
