"""A prompt per workflow: what a person fills in, and what a host's model is then told to do."""

from __future__ import annotations

import json
from typing import Any

import mcp_types as types
from mcp import MCPError
from mcp.server.lowlevel.server import Server

from contracts.workflow import Workflow
from orchestrator.config import load_workflow, workflows
from orchestrator.gateway.envelope import Context

_TAKES = {
    "tests": "Tests that fail and must pass, separated by blanks: tests/test_x.py::test_y",
    "request": "What is wrong or wanted, in words.",
    "repo": "Absolute path of the git checkout; the folder this conversation is about, where it is left out.",
}

_LISTS = ("tests",)
"""Arguments that hold several values."""


class Prompts:
    """The workflows, as prompts."""

    def __init__(self) -> None:
        self._workflows = {name: load_workflow(name) for name in workflows()}

    def add_to(self, server: Server[Any]) -> None:
        """Have `server` answer for them."""
        server.add_request_handler("prompts/list", types.PaginatedRequestParams, self._list)
        server.add_request_handler("prompts/get", types.GetPromptRequestParams, self._get)

    async def _list(self, ctx: Context, params: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=[prompt_of(one) for one in self._workflows.values()])

    async def _get(self, ctx: Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        workflow = self._workflows.get(params.name)
        if workflow is None:
            there = ", ".join(self._workflows)
            raise MCPError(types.INVALID_PARAMS, f"there is no prompt {params.name}; there are {there}")
        given = {name: value.strip() for name, value in (params.arguments or {}).items() if value.strip()}
        if missing := [name for name in workflow.inputs if name not in given]:
            raise MCPError(types.INVALID_PARAMS, f"{workflow.name} needs {', '.join(missing)}")
        return types.GetPromptResult(
            description=workflow.title,
            messages=[types.PromptMessage(role="user", content=types.TextContent(text=text_of(workflow, given)))],
        )


def prompt_of(workflow: Workflow) -> types.Prompt:
    """As `prompts/list` has it: what the workflow must be given is required."""
    return types.Prompt(
        name=workflow.name,
        title=workflow.title,
        description=workflow.description,
        arguments=[
            types.PromptArgument(name=name, description=told, required=name in workflow.inputs)
            for name, told in _TAKES.items()
            if name != "tests" or name in workflow.inputs
        ],
    )


def text_of(workflow: Workflow, given: dict[str, str]) -> str:
    """What the model is to do, with what the person filled in."""
    asked: dict[str, object] = {"workflow": workflow.name}
    asked |= {name: given[name].split() if name in _LISTS else given[name] for name in _TAKES if name in given}
    where = "" if "repo" in given else " Add `repo`: the absolute path of the git checkout this is about."
    return f"""{workflow.title}, with Podium's crew. {workflow.description}

1. Call run_workflow with these arguments.{where}

{json.dumps(asked, indent=2, ensure_ascii=False)}

2. Call wait_run with the run it names, again and again until the run has ended. It asks the person at each gate, where
this host can; where it cannot, show them what waits and tell them how to answer. Decide nothing for them.

3. Tell them how it ended: the branch and what to review, or why not and the way out. What passes the tests is
plausible; whether it is right is for them to say."""
