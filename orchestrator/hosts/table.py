"""The hosts that Podium can be installed in, as data: where the file lies, what its format is, what it wants to read.

A place is written with variables; the first of a host's places counts whose variable is set to an absolute path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath, PureWindowsPath

from orchestrator.errors import CouldNot
from orchestrator.hosts.formats import Entry, Format
from orchestrator.hosts.json_edits import Json
from orchestrator.hosts.launch import Launch
from orchestrator.hosts.toml_edits import Toml
from orchestrator.hosts.yaml_edits import Yaml

START_S = 60
"""How long a host should wait for Podium to start: broker and crew start with it."""
CALL_S = 900
"""How long a host should wait for a call: a test suite may run for minutes."""


@dataclass(frozen=True, slots=True)
class Host:
    """A program that starts MCP servers."""

    name: str
    title: str
    form: Format
    section: str
    """The table of the file in which servers are, by name."""
    entry: Callable[[str, Launch], Entry]
    places: Mapping[str, tuple[str, ...]]
    """Where the file lies, by platform as `sys.platform` says it."""
    project: str = ""
    """Where a project has one of its own, below its root; empty if it cannot."""


def place(host: Host, platform: str, env: Mapping[str, str]) -> PurePath:
    """Where the host's file lies for the person whose environment, with HOME in it, this is.

    Raises:
        CouldNot: HOME is not an absolute path.
    """
    flavour = PureWindowsPath if platform == "win32" else PurePosixPath
    for each in host.places.get(platform, host.places["linux"]):
        variable, _, rest = each.partition("/")
        base = flavour(env.get(variable.removeprefix("$"), ""))
        if base.is_absolute():
            return base / rest
    raise CouldNot(f"HOME is not an absolute path: {env.get('HOME')}.", "Set it, or name the file: --file FILE.")


def _plain(name: str, launch: Launch) -> Entry:
    env = {"env": dict(launch.env)} if launch.env else {}
    return {"command": launch.command, "args": list(launch.args), **env}


def _typed(name: str, launch: Launch) -> Entry:
    return {"type": "stdio", **_plain(name, launch)}


def _with_times(name: str, launch: Launch) -> Entry:
    return {**_plain(name, launch), "startup_timeout_sec": START_S, "tool_timeout_sec": CALL_S}


def _extension(name: str, launch: Launch) -> Entry:
    return {
        "enabled": True,
        "type": "stdio",
        "name": name,
        "description": "A crew of specialists for coding tasks.",
        "cmd": launch.command,
        "args": list(launch.args),
        "envs": dict(launch.env),
        "timeout": CALL_S,
    }


def _everywhere(*places: str) -> Mapping[str, tuple[str, ...]]:
    return dict.fromkeys(("linux", "darwin", "win32"), places)


def _in_app_data(path: str) -> tuple[str, ...]:
    return f"$APPDATA/{path}", f"$HOME/AppData/Roaming/{path}"


def _as_electron_does(path: str) -> Mapping[str, tuple[str, ...]]:
    return {
        "linux": (f"$XDG_CONFIG_HOME/{path}", f"$HOME/.config/{path}"),
        "darwin": (f"$HOME/Library/Application Support/{path}",),
        "win32": _in_app_data(path),
    }


_PLAIN_JSON = Json(strict=True)
_JSON_WITH_COMMENTS = Json(strict=False)
_GOOSE_ROOT = "$GOOSE_PATH_ROOT/config/config.yaml"

CLAUDE_DESKTOP = Host(
    "claude-desktop",
    "Claude Desktop",
    _PLAIN_JSON,
    "mcpServers",
    _plain,
    _as_electron_does("Claude/claude_desktop_config.json"),
)
"""Source: modelcontextprotocol.io/docs/develop/connect-local-servers; on Linux, where it is since 2026, by Electron's
rule for `userData`."""

CLAUDE_CODE = Host(
    "claude-code",
    "Claude Code",
    _PLAIN_JSON,
    "mcpServers",
    _typed,
    _everywhere("$CLAUDE_CONFIG_DIR/.claude.json", "$HOME/.claude.json"),
    project=".mcp.json",
)
"""Source: code.claude.com/docs/en/mcp (scopes `user` and `project`), code.claude.com/docs/en/settings."""

CURSOR = Host(
    "cursor",
    "Cursor",
    _JSON_WITH_COMMENTS,
    "mcpServers",
    _typed,
    _everywhere("$HOME/.cursor/mcp.json"),
    project=".cursor/mcp.json",
)
"""Source: cursor.com/docs/mcp."""

VSCODE = Host(
    "vscode",
    "VS Code",
    _JSON_WITH_COMMENTS,
    "servers",
    _typed,
    _as_electron_does("Code/User/mcp.json"),
    project=".vscode/mcp.json",
)
"""Source: code.visualstudio.com/docs/agents/reference/mcp-configuration; the folder of the default profile:
code.visualstudio.com/docs/configure/settings."""

CODEX = Host(
    "codex",
    "Codex",
    Toml(),
    "mcp_servers",
    _with_times,
    _everywhere("$CODEX_HOME/config.toml", "$HOME/.codex/config.toml"),
    project=".codex/config.toml",
)
"""Source: developers.openai.com/codex/mcp, developers.openai.com/codex/config-reference. It waits 10 s for a server
and 60 s for a call, if nothing is said."""

GOOSE = Host(
    "goose",
    "Goose",
    Yaml(),
    "extensions",
    _extension,
    {
        "linux": (_GOOSE_ROOT, "$XDG_CONFIG_HOME/goose/config.yaml", "$HOME/.config/goose/config.yaml"),
        "darwin": (_GOOSE_ROOT, "$XDG_CONFIG_HOME/goose/config.yaml", "$HOME/.config/goose/config.yaml"),
        "win32": (_GOOSE_ROOT, *_in_app_data("Block/goose/config/config.yaml")),
    },
)
"""Source: goose-docs.ai/docs/guides/config-files; GOOSE_PATH_ROOT: `crates/goose/src/config/paths.rs` of
github.com/aaif-goose/goose."""

HOSTS = {each.name: each for each in (CLAUDE_DESKTOP, CLAUDE_CODE, CURSOR, VSCODE, CODEX, GOOSE)}
