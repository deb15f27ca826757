"""`podium mcp install` as people call it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from orchestrator.cli.commands import podium
from orchestrator.cli.trouble import report
from orchestrator.hosts.table import HOSTS
from tests.cli.conftest import Done

READ: dict[str, Callable[[str], Any]] = {".json": json.loads, ".toml": tomllib.loads, ".yaml": yaml.safe_load}
PAGE = Path(__file__).resolve().parents[2] / "docs/mcp-hosts.md"
each_host = pytest.mark.parametrize("host", HOSTS)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's home, with nothing in the environment that moves a host's file."""
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "GOOSE_PATH_ROOT", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("PODIUM_STATE_DIR", "PODIUM_NATS_URL", "PODIUM_NATS_CREDS", "PODIUM_MODELS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def call(*args: str) -> Done:
    """The command with what `podium` itself does about errors."""
    runner = CliRunner()
    done = runner.invoke(podium, ["mcp", "install", *args], standalone_mode=False)
    if done.exception is None:
        return Done(0, done.stdout, done.stderr)
    assert isinstance(done.exception, Exception)
    caught = done.exception
    with runner.isolation() as (out, err, _):
        code = report(caught, args)
        return Done(code, done.stdout + out.getvalue().decode(), done.stderr + err.getvalue().decode())


def entry_in(file: str, host: str, name: str = "podium") -> dict[str, Any]:
    text = Path(file).read_text(encoding="utf-8")
    found: dict[str, Any] = READ[Path(file).suffix](text)[HOSTS[host].section]
    return found[name]


def everything(folder: Path) -> dict[Path, bytes]:
    return {each: each.read_bytes() for each in folder.rglob("*") if each.is_file()}


@each_host
def test_installing_writes_the_entry_once(host: str) -> None:
    """What is printed is what the host reads; the second time there is nothing to do, and that is a success."""
    first, second = call(host, "--json"), call(host, "--json")
    assert (first.code, second.code) == (0, 0)
    assert first.document["action"] == "added"
    assert entry_in(first.document["file"], host) == first.document["entry"]
    assert (second.document["action"], second.document["written"], second.document["backup"]) == (
        "unchanged",
        False,
        None,
    )


@each_host
def test_the_entry_starts_podium_as_that_host(host: str) -> None:
    """So that each has an identity of its own."""
    entry = call(host, "--json").document["entry"]
    assert entry["args"] == ["mcp", "--host", host]
    assert Path(entry.get("command") or entry["cmd"]).is_absolute()


@each_host
def test_printing_writes_nothing(host: str, home: Path) -> None:
    shown = call(host, "--print")
    assert shown.code == 0
    assert "+" in shown.out
    assert "podium" in shown.out
    assert call(host, "--print", "--json").document["written"] is False
    assert everything(home) == {}


@each_host
def test_removing_takes_the_entry_away_and_nothing_twice(host: str) -> None:
    file = call(host, "--json").document["file"]
    call(host, "--name", "other")
    removed = call(host, "--remove", "--json").document
    assert (removed["action"], removed["entry"]) == ("removed", None)
    assert entry_in(file, host, "other")
    assert Path(removed["backup"]).exists()
    again = call(host, "--remove")
    assert again.code == 0
    assert "is not in" in again.out


@each_host
def test_a_broken_file_is_not_touched_and_the_entry_can_be_added_by_hand(host: str, home: Path) -> None:
    """The place is said, and what to write there."""
    file = Path(call(host, "--json").document["file"])
    file.write_text('a: [\n"', encoding="utf-8")
    before = everything(home)
    for more in ((), ("--print",), ("--remove",), ("--force",)):
        done = call(host, *more)
        assert done.code == 1
        assert str(file) in done.err
        assert "Nothing was written" in done.err
        assert ("By hand" in done.err and "--host" in done.err) == (more != ("--remove",))
        assert "Traceback" not in done.err
    assert call(host, "--json").document["error"]["way_out"].startswith("Mend it")
    assert everything(home) == before


@pytest.mark.parametrize("host", [host for host in HOSTS if HOSTS[host].project])
def test_a_project_has_a_file_of_its_own(host: str, home: Path) -> None:
    project = home / "shop"
    project.mkdir()
    done = call(host, "--project", str(project), "--json").document
    assert done["file"] == str(project / HOSTS[host].project)
    assert entry_in(done["file"], host) == done["entry"]
    assert set(everything(home)) == {project / HOSTS[host].project}


def test_any_file_of_a_host_can_be_named(home: Path) -> None:
    """Another profile's, another edition's."""
    file = home / "Code - Insiders/User/mcp.json"
    assert call("vscode", "--file", str(file), "--json").document["file"] == str(file)
    assert entry_in(str(file), "vscode")


def test_another_entry_of_that_name_is_replaced_only_when_told_to(home: Path) -> None:
    """It may hold what a person wrote; even then it is kept in the backup."""
    file = home / ".cursor/mcp.json"
    file.parent.mkdir()
    file.write_text('{"mcpServers": {"podium": {"command": "mine", "env": {"A": "1"}}}}', encoding="utf-8")
    before = everything(home)
    refused = call("cursor")
    assert refused.code == 1
    assert "differs in type, command, args" in refused.err
    shown = call("cursor", "--print")
    assert "--force" in shown.err
    assert everything(home) == before
    done = call("cursor", "--force", "--json").document
    assert done["action"] == "replaced"
    assert Path(done["backup"]).read_bytes() == before[file]
    assert entry_in(str(file), "cursor") == done["entry"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["emacs"], "claude-desktop"),
        (["goose", "--project", "."], "no configuration for a project"),
        (["cursor", "--project", ".", "--file", "x"], "not both"),
        (["cursor", "--project", "/nowhere"], "/nowhere"),
        (["cursor", "--name", "My Podium"], "lower-case"),
        ([], "HOST"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_explained_with_2(args: list[str], said: str, home: Path) -> None:
    done = call(*args)
    assert done.code == 2
    assert said in done.err
    assert everything(home) == {}


def test_what_was_done_and_what_is_to_be_done_is_said(home: Path) -> None:
    call("codex")
    said = call("codex", "--remove").out
    assert ".codex/config.toml" in said
    assert ".bak" in said
    assert "Restart Codex" in said


def test_a_file_cannot_play_tricks_on_the_terminal(home: Path) -> None:
    """What is in it is shown as text."""
    (home / ".codex").mkdir()
    (home / ".codex/config.toml").write_text('a = "\u202e"\n', encoding="utf-8")
    assert "\u202e" not in call("codex", "--print").out


def test_the_page_has_every_place(home: Path) -> None:
    """docs/mcp-hosts.md says where the files lie, as the table does."""
    page = PAGE.read_text(encoding="utf-8")
    for host in HOSTS.values():
        for platform in ("linux", "darwin", "win32"):
            shown = host.places[platform][-1].replace("$HOME", "~")
            assert f"`{shown}`" in page, (host.name, shown)
        assert f"`podium mcp install {host.name}`" in page
        assert not host.project or f"`{host.project}`" in page
