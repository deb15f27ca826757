"""What a server defines, as the registry shows it. Pure, but for asking."""

from __future__ import annotations

from collections.abc import Sequence

from bus.wire import JsonObject, as_object
from contracts.manifest import Manifest, ToolSpec
from servers.bridge.link import Link
from servers.bridge.manners import ENVELOPE, Welcome

_NAMED = {"name", "title", "description", "inputSchema", "outputSchema"}
_MOST_PAGES = 1000
"""A list that never ends is no list."""


async def tool_list(link: Link) -> JsonObject | None:
    """What a server answers to `tools/list`, with all pages of it in one; None where it has no tools.

    Raises:
        MCPError: it does not say.
        PeerGone: it hung up.
    """
    if "tools" not in link.welcome.capabilities:
        return None
    envelope: JsonObject = {"_meta": ENVELOPE} if link.welcome.modern else {}
    pages = [await link.request("tools/list", envelope)]
    while (cursor := pages[-1].get("nextCursor")) and len(pages) < _MOST_PAGES:
        pages.append(await link.request("tools/list", {"cursor": cursor, **envelope}))
    tools = [as_object(tool) for page in pages for tool in page.get("tools", [])]
    about = {key: value for key, value in pages[0].items() if key != "nextCursor"}
    return link.welcome.inward("tools/list", {**about, "tools": tools})


def tool_spec(definition: JsonObject) -> ToolSpec:
    """A tool's definition, all of it; hints that are not given are MCP's defaults (specification, ToolAnnotations)."""
    hints = as_object(definition.get("annotations"))
    output = definition.get("outputSchema")
    read_only = hints.get("readOnlyHint") is True
    return ToolSpec(
        name=str(definition.get("name")),
        title=str(definition.get("title") or hints.get("title") or ""),
        description=str(definition.get("description") or ""),
        input_schema=as_object(definition.get("inputSchema")),
        output_schema=as_object(output) if output is not None else None,
        read_only=read_only,
        destructive=not read_only and hints.get("destructiveHint") is not False,
        idempotent=read_only or hints.get("idempotentHint") is True,
        open_world=hints.get("openWorldHint") is not False,
        more={key: value for key, value in definition.items() if key not in _NAMED},
    )


def manifest_of(name: str, welcome: Welcome, granted: Sequence[str]) -> Manifest:
    """What a server says of itself, under the name it was given here."""
    info = welcome.info
    return Manifest(
        name=name,
        title=str(info.get("title") or info.get("name") or name),
        version=str(info.get("version") or ""),
        description=str(info.get("description") or f"{info.get('name') or name}, an MCP server that is not Podium's."),
        scopes=tuple(granted),
    )
