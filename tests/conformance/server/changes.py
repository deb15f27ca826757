"""Tools that change what the server has, so that those who listen hear of it.

The tools themselves are at once as they were before: whoever pins a server's tools answers no calls once they differ
(docs/foreign-servers.md), and the suite goes on calling.
"""

from __future__ import annotations

from mcp.server.subscriptions import PromptsListChanged, ResourceUpdated, SubscriptionBus, ToolsListChanged
from mcp_types import CallToolResult

from tests.conformance.server.prompts import PASSING_PROMPT, Prompts
from tests.conformance.server.request import Round
from tests.conformance.server.resources import WATCHED, Resources
from tests.conformance.server.tools import ServedTool, Toolbox, replied, tool


async def _passing(call: Round) -> CallToolResult:
    return replied("I was there.")


_PASSING_TOOL = tool("test_passing_tool", "Comes and goes", _passing)


def change_tools(
    toolbox: Toolbox, prompts: Prompts, resources: Resources, bus: SubscriptionBus
) -> tuple[ServedTool, ...]:
    """One for each kind of change a client can listen for."""

    async def change_tools(call: Round) -> CallToolResult:
        toolbox.toggle(_PASSING_TOOL)
        toolbox.toggle(_PASSING_TOOL)
        await bus.publish(ToolsListChanged())
        return replied("The tools have changed")

    async def change_prompts(call: Round) -> CallToolResult:
        prompts.toggle(PASSING_PROMPT)
        await bus.publish(PromptsListChanged())
        return replied("The prompts have changed")

    async def change_resource(call: Round) -> CallToolResult:
        await resources.rewrite_watched()
        await bus.publish(ResourceUpdated(uri=WATCHED))
        return replied("The watched resource has changed")

    return (
        tool("test_trigger_tool_change", "Adds a tool, and takes it away again", change_tools),
        tool("test_trigger_prompt_change", "Adds a prompt, or takes it away again", change_prompts),
        tool("test_trigger_resource_change", "Rewrites the watched resource", change_resource),
    )
