"""A hidden parameter is in no schema that is shown, and in every call that is made."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from bus.wire import JsonObject
from servers.alone.fit import CannotBeAlone, fit_member
from servers.alone.hidden import filled_in, without, without_property
from servers.crew import CREW_FILE, read_crew
from servers.crew_member import CLASSES
from servers.specialist import Room, ToolError, tools_of
from tests.git_project import Nobody

names = st.text("abc", min_size=1, max_size=2)


def an_object(properties: Iterable[str], required: Iterable[str]) -> JsonObject:
    """The schema of an object with these properties and no others."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: {"type": "string"} for name in properties},
        "required": sorted(required),
    }


def fits(schema: JsonObject, value: JsonObject) -> bool:
    return next(Draft202012Validator(schema).iter_errors(value), None) is None  # pyright: ignore[reportUnknownMemberType] - jsonschema is typed in part


@given(st.sets(names), st.sets(names), names, st.dictionaries(names, st.text(max_size=2), max_size=5))
def test_what_fits_the_schema_that_is_shown_fits_the_whole_once_it_is_filled_in(
    properties: set[str], required: set[str], hidden: str, arguments: dict[str, str]
) -> None:
    """For any object: taking the property out and putting its value in undo each other."""
    whole = an_object({*properties, hidden}, {*(required & properties), hidden})
    shown = without_property(whole, hidden)
    assert shown == an_object(properties - {hidden}, (required & properties) - {hidden})
    if fits(shown, arguments):
        assert fits(whole, filled_in(arguments, hidden, "x"))
    assert hidden in whole["properties"]


def test_a_host_that_gives_it_is_refused() -> None:
    """It may not choose a tree."""
    with pytest.raises(ToolError, match="no parameter `run`"):
        filled_in({"run": "r-other", "path": "a"}, "run", "r-here1")


def test_every_tool_that_can_be_served_alone_has_the_parameter_that_is_hidden() -> None:
    """So that it can be filled in without looking."""
    crew = read_crew(CREW_FILE)
    fit: list[str] = []
    for name in sorted(CLASSES):
        try:
            member = fit_member(crew, name)
        except CannotBeAlone:
            continue
        fit.append(name)
        room = Room(CREW_FILE, CREW_FILE, Nobody(), Nobody())
        for tool in tools_of(member.build(room)):
            assert "run" in tool.spec.input_schema["properties"], f"{name}.{tool.spec.name}"
            assert "run" not in without(tool, "run").spec.input_schema["properties"]
    assert fit == ["repository", "static_analyzer", "test_runner"]
