"""MCP hosts that are not ours and not Python: the official TypeScript SDK, and the Inspector's command line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from tests.npm import Packages, installed

HERE = Path(__file__).parent
_LIMIT_S = 120
_TOOL_FAILED = 5
"""How the Inspector ends when a tool's result says that the tool failed."""

Era = Literal["legacy", "modern"]
Asked = tuple[str, dict[str, Any]]
"""A tool and its arguments."""


@dataclass(frozen=True)
class Server:
    """How a host starts one."""

    command: Sequence[str]
    env: Mapping[str, str]


class Host(Protocol):
    """Lists and calls."""

    def ask(self, server: Server, era: Era, *calls: Asked) -> tuple[list[Any], list[Any]]:
        """The tools there are, and the results of the calls, each as it was on the wire."""
        ...


@dataclass(frozen=True)
class TypeScriptSdk:
    """A program of a few lines that uses the SDK's client: one connection for everything."""

    packages: Packages

    def ask(self, server: Server, era: Era, *calls: Asked) -> tuple[list[Any], list[Any]]:
        """See `Host.ask`."""
        asked = {"era": era, "command": server.command, "env": server.env, "calls": calls}
        said = _run(self.packages.node, HERE / "client.mjs", self.packages.folder, json.dumps(asked, default=dict))
        assert said["version"] == {"legacy": "2025-11-25", "modern": "2026-07-28"}[era]
        return said["tools"], said["results"]


@dataclass(frozen=True)
class Inspector:
    """`@modelcontextprotocol/inspector --cli`: a connection for each question."""

    packages: Packages

    def ask(self, server: Server, era: Era, *calls: Asked) -> tuple[list[Any], list[Any]]:
        """See `Host.ask`."""
        program = self.packages.folder / "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
        env = [part for name, value in server.env.items() for part in ("-e", f"{name}={value}")]
        common = (program, "--cli", *server.command, *env, "--protocol-era", era, "--format", "json", "--quiet")
        listed = _run(self.packages.node, *common, "--strict", "--method", "tools/list")
        results = [
            _run(
                self.packages.node,
                *(*common, "--method", "tools/call"),
                *("--tool-name", name, "--tool-args-json", json.dumps(arguments)),
            )
            for name, arguments in calls
        ]
        return _result(listed)["tools"], [_result(each) for each in results]


def _result(said: Any) -> Any:
    return said.get("result", said)


def hosts() -> dict[str, Host]:
    """All of them.

    Raises:
        NpmError: they are not to be had here.
    """
    packages = installed(HERE)
    return {"TypeScript SDK": TypeScriptSdk(packages), "Inspector": Inspector(packages)}


def _run(*command: str | Path) -> Any:
    done = subprocess.run(
        list(map(str, command)), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_LIMIT_S, check=False
    )
    assert done.returncode in (0, _TOOL_FAILED), f"{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)
