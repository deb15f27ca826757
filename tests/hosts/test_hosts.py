"""The entry is added to each host's file, and not a byte of the rest changes."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from orchestrator.hosts.formats import with_entry, without_entry
from orchestrator.hosts.launch import CARRIED, Launch, launch
from orchestrator.hosts.table import HOSTS, place
from tests.hosts.samples import FILES, HERE, LAUNCH

each_host = pytest.mark.parametrize("name", FILES)
each_end = pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])


def test_every_host_has_a_file_here() -> None:
    assert list(FILES) == list(HOSTS)


@each_host
@each_end
def test_the_entry_is_added_and_the_rest_is_as_it_was(name: str, end: str) -> None:
    """Servers, settings, comments, trailing commas, odd layout, a byte order mark, line ends."""
    host, (file, entry) = HOSTS[name], FILES[name]
    before, after = file.replace(HERE, "").replace("\n", end), file.replace(HERE, entry).replace("\n", end)
    added = with_entry(host.form, before, host.section, "podium", host.entry("podium", LAUNCH))
    assert added.after == after
    assert added.differs == ()


@each_host
@each_end
def test_taking_the_entry_away_gives_the_file_back(name: str, end: str) -> None:
    host, (file, entry) = HOSTS[name], FILES[name]
    before, after = file.replace(HERE, "").replace("\n", end), file.replace(HERE, entry).replace("\n", end)
    assert without_entry(host.form, after, host.section, "podium").after == before
    assert without_entry(host.form, before, host.section, "podium").after == before


@each_host
def test_what_a_host_or_a_person_adds_to_the_entry_stays(name: str) -> None:
    """Goose writes `bundled: null`, Claude Code `env: {}`: the entry is there all the same."""
    host = HOSTS[name]
    entry = host.entry("podium", LAUNCH)
    more = with_entry(host.form, "", host.section, "podium", {**entry, "theirs": ["x"]}).after
    again = with_entry(host.form, more, host.section, "podium", entry)
    assert (again.after, again.differs) == (more, ())
    key = "cmd" if name == "goose" else "command"
    moved = with_entry(host.form, more, host.section, "podium", {**entry, key: "/elsewhere/podium"})
    assert moved.differs == (key,)
    assert moved.after != more


@pytest.mark.parametrize(
    ("name", "linux", "mac", "windows"),
    [
        (
            "claude-desktop",
            "/home/ada/.config/Claude/claude_desktop_config.json",
            "/home/ada/Library/Application Support/Claude/claude_desktop_config.json",
            r"C:\Users\ada\AppData\Roaming\Claude\claude_desktop_config.json",
        ),
        ("claude-code", "/home/ada/.claude.json", "/home/ada/.claude.json", r"C:\Users\ada\.claude.json"),
        ("cursor", "/home/ada/.cursor/mcp.json", "/home/ada/.cursor/mcp.json", r"C:\Users\ada\.cursor\mcp.json"),
        (
            "vscode",
            "/home/ada/.config/Code/User/mcp.json",
            "/home/ada/Library/Application Support/Code/User/mcp.json",
            r"C:\Users\ada\AppData\Roaming\Code\User\mcp.json",
        ),
        ("codex", "/home/ada/.codex/config.toml", "/home/ada/.codex/config.toml", r"C:\Users\ada\.codex\config.toml"),
        (
            "goose",
            "/home/ada/.config/goose/config.yaml",
            "/home/ada/.config/goose/config.yaml",
            r"C:\Users\ada\AppData\Roaming\Block\goose\config\config.yaml",
        ),
    ],
)
def test_files_lie_where_their_hosts_look(name: str, linux: str, mac: str, windows: str) -> None:
    host, home = HOSTS[name], {"HOME": "/home/ada"}
    assert place(host, "linux", home) == PurePosixPath(linux)
    assert place(host, "darwin", home) == PurePosixPath(mac)
    assert place(host, "win32", {"HOME": r"C:\Users\ada"}) == PureWindowsPath(windows)


@pytest.mark.parametrize(
    ("name", "variable", "path"),
    [
        ("claude-desktop", "XDG_CONFIG_HOME", "/x/Claude/claude_desktop_config.json"),
        ("claude-code", "CLAUDE_CONFIG_DIR", "/x/.claude.json"),
        ("vscode", "XDG_CONFIG_HOME", "/x/Code/User/mcp.json"),
        ("codex", "CODEX_HOME", "/x/config.toml"),
        ("goose", "GOOSE_PATH_ROOT", "/x/config/config.yaml"),
        ("goose", "XDG_CONFIG_HOME", "/x/goose/config.yaml"),
    ],
)
def test_variables_move_the_files_unless_they_are_relative(name: str, variable: str, path: str) -> None:
    """As the hosts themselves have it."""
    assert place(HOSTS[name], "linux", {"HOME": "/home/ada", variable: "/x"}) == PurePosixPath(path)
    assert place(HOSTS[name], "linux", {"HOME": "/home/ada", variable: "x"}) != PurePosixPath(path)


def test_a_host_starts_this_podium_with_its_ledger_and_without_a_key() -> None:
    """Hosts do not pass on what a shell has set."""
    kept = {"PODIUM_STATE_DIR": "/srv/podium", "PODIUM_ENV": "prod"}
    made = launch("cursor", {**kept, "PODIUM_MODELS": "", "ANTHROPIC_API_KEY": "secret", "PATH": "/bin"})
    assert Path(made.command).is_absolute()
    assert Path(made.command).name == "podium"
    assert (made.args, made.env) == (("mcp", "--host", "cursor"), kept)
    assert not any("KEY" in name for name in CARRIED)


@each_host
def test_variables_are_where_the_host_looks_for_them(name: str) -> None:
    host = HOSTS[name]
    entry = host.entry("podium", Launch("/p", ("mcp",), {"PODIUM_STATE_DIR": "/srv"}))
    assert entry["envs" if name == "goose" else "env"] == {"PODIUM_STATE_DIR": "/srv"}
