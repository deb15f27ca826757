"""A parameter that a host need not know of: left out of what is offered, filled in when a tool is called."""

from __future__ import annotations

from dataclasses import replace

from bus.wire import JsonObject
from servers.specialist import Tool, ToolError


def without(tool: Tool, parameter: str) -> Tool:
    """The tool, with an input schema that lacks `parameter`."""
    schema = without_property(tool.spec.input_schema, parameter)
    return replace(tool, spec=tool.spec.model_copy(update={"input_schema": schema}))


def without_property(schema: JsonObject, name: str) -> JsonObject:
    """An object's JSON schema that lacks one property; `schema` itself stays as it is."""
    properties: JsonObject = schema.get("properties", {})
    fewer = {**schema, "properties": {key: value for key, value in properties.items() if key != name}}
    if "required" in schema:
        fewer["required"] = [key for key in schema["required"] if key != name]
    return fewer


def filled_in(arguments: JsonObject, name: str, value: str) -> JsonObject:
    """A call's arguments with the hidden one.

    Raises:
        ToolError: invalid, when the host gave it: in the schema that it was shown there is none.
    """
    if name in arguments:
        raise ToolError("invalid", f"there is no parameter `{name}`")
    return {name: value, **arguments}
