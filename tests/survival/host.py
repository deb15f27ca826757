"""An MCP host whose person has a bug fixed and approves whatever they are shown; COMMAND is its server, `podium mcp`.

    python -m tests.survival.host REPO COMMAND…

Ends with 0 when the branch was handed over, and with 1 when the gateway did not get that far.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import anyio
import mcp_types as types
from mcp import Client, MCPError, StdioServerParameters
from mcp.client import ClientRequestContext

from tests.cli.conftest import ROOT
from tests.survival.scenes import TEST

_PATIENCE_S = 100


async def _approve(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content={"verdict": "approve"})


async def _fix(repo: str, command: Sequence[str]) -> str:
    """How the run stands when the host has done what it can."""
    server = StdioServerParameters(command=command[0], args=list(command[1:]), env=dict(os.environ), cwd=ROOT)
    asked: dict[str, Any] = {"workflow": "fix-bug", "repo": repo, "tests": [TEST], "engine": "search"}
    async with Client(server, elicitation_callback=_approve, cache=None) as client:
        begun: dict[str, Any] = (await client.call_tool("run_workflow", asked)).structured_content or {}
        waiting = {"run": begun.get("run"), "timeout_s": _PATIENCE_S}
        ended: dict[str, Any] = (await client.call_tool("wait_run", waiting)).structured_content or {}
        return str(ended.get("status"))


def main() -> int:
    """Be the host; its exit status."""
    try:
        return 0 if anyio.run(_fix, sys.argv[1], sys.argv[2:]) == "handed_over" else 1
    except* (MCPError, OSError, anyio.ClosedResourceError) as wrong:
        sys.stderr.write(f"{wrong!r}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
