"""Each host's file as hosts and people write it, and what the entry looks like in it."""

from __future__ import annotations

from orchestrator.hosts.launch import Launch

LAUNCH = Launch("/opt/podium/bin/podium", ("mcp", "--host", "x"), {})
HERE = "<here>"
"""Where the entry goes in the files below; it is not in them."""

CLAUDE_DESKTOP = """\
{
  "mcpServers": {
    "filesystem": {
      "command": "npx",
      "args": ["-y", "@modelcontextprotocol/server-filesystem", "/home/ada/Documents"]
    }<here>
  },
  "preferences": { "sidebarMode": "chat", "coworkScheduledTasksEnabled": false }
}
"""
CLAUDE_DESKTOP_ENTRY = """,
    "podium": {
      "command": "/opt/podium/bin/podium",
      "args": [
        "mcp",
        "--host",
        "x"
      ]
    }"""

CLAUDE_CODE = """\
{
  "numStartups": 34,
  "tipsHistory": { "new-user-warmup": 5 },
  "projects": {
    "/home/ada/shop": {
      "allowedTools": [],
      "history": [{ "display": "why {\\"mcpServers\\": {}}?", "pastedContents": {} }],
      "mcpServers": { "podium": { "command": "another project's" } }
    }
  },
  "mcpServers": {<here>},
  "userID": "6f1e\\u2026"
}
"""
CLAUDE_CODE_ENTRY = """
    "podium": {
      "type": "stdio",
      "command": "/opt/podium/bin/podium",
      "args": [
        "mcp",
        "--host",
        "x"
      ]
    }
  """

CURSOR = """\
{"mcpServers": {"docs": {"url": "https://a.example/mcp", "headers": {"Authorization": "Bearer ${env:TOKEN}"}}<here>}}"""
CURSOR_ENTRY = """\
, "podium": {"type": "stdio", "command": "/opt/podium/bin/podium", "args": ["mcp", "--host", "x"]}"""

VSCODE = """\
\ufeff// My servers; the token is asked for.
{
\t"inputs": [
\t\t{ "type": "promptString", "id": "token", "description": "GitHub token", "password": true },
\t],
\t"servers": {
\t\t/* "old": { "command": "old" }, */
\t\t"github": {
\t\t\t"type": "http",
\t\t\t"url": "https://api.githubcopilot.com/mcp/", // with OAuth
\t\t},
\t\t"playwright": {
\t\t\t"command": "npx", "args": ["-y", "@microsoft/mcp-server-playwright"]
\t\t}, // slow<here>
\t\t// "more": { },
\t},
}
"""
VSCODE_ENTRY = """
\t\t"podium": {
\t\t\t"type": "stdio",
\t\t\t"command": "/opt/podium/bin/podium",
\t\t\t"args": [
\t\t\t\t"mcp",
\t\t\t\t"--host",
\t\t\t\t"x"
\t\t\t]
\t\t},"""

CODEX = """\
# Codex
model = "gpt-5.6"   # aligned by hand
notify = [
  "notify-send",  # [mcp_servers.podium]
]

[projects."/home/ada/shop"]
trust_level = "trusted"

[mcp_servers.context7]
command = "npx"
args = ["-y", "@upstash/context7-mcp"]

[mcp_servers.context7.env]
KEY = "k"

# --- looks ---
[tui]
notifications = true
<here>"""
CODEX_ENTRY = """
[mcp_servers.podium]
command = "/opt/podium/bin/podium"
args = ["mcp", "--host", "x"]
startup_timeout_sec = 60
tool_timeout_sec = 900
"""

GOOSE = """\
# Model
active_provider:   anthropic      # aligned by hand
providers:
  anthropic: {enabled: true, model: 'claude'}
extensions:
  developer:
    enabled: true
    type: builtin
    name: developer
    timeout: 300
  filesystem:
    args: ["-y",   "@modelcontextprotocol/server-filesystem"]
    cmd: npx
    enabled: true
    envs: {}
    name: filesystem
    type: stdio   # the last
<here>
  # memory: off
GOOSE_MODE: "smart_approve"
instructions: |
  Be brief.

  extensions:
    podium: no
"""
GOOSE_ENTRY = """\
  podium:
    enabled: true
    type: stdio
    name: podium
    description: A crew of specialists for coding tasks.
    cmd: /opt/podium/bin/podium
    args:
    - mcp
    - --host
    - x
    envs: {}
    timeout: 900
"""
FILES = {
    "claude-desktop": (CLAUDE_DESKTOP, CLAUDE_DESKTOP_ENTRY),
    "claude-code": (CLAUDE_CODE, CLAUDE_CODE_ENTRY),
    "cursor": (CURSOR, CURSOR_ENTRY),
    "vscode": (VSCODE, VSCODE_ENTRY),
    "codex": (CODEX, CODEX_ENTRY),
    "goose": (GOOSE, GOOSE_ENTRY),
}
