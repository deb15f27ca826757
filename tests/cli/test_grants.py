"""Grants are changed in the person's own crew file, where everything else stays as it is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli.commands import podium
from orchestrator.config import load_crew

MINE = """# mine
[servers.doc_writer]  # an agent
calls = ["repository.read"] # why

[hosts.cursor]
calls = ["repository.*"]
decides = true
"""


@pytest.fixture
def crew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's own crew file, where no house runs."""
    file = tmp_path / "crew.toml"
    file.write_text(MINE, encoding="utf-8")
    monkeypatch.setenv("PODIUM_CREW", str(file))
    monkeypatch.setenv("PODIUM_STATE_DIR", str(tmp_path / "state"))
    return file


def call(*words: str) -> Result:
    return CliRunner().invoke(podium, ["agents", *words])


def test_a_grant_is_added_and_taken_back(crew: Path) -> None:
    """What was granted before stays; revoked, it is gone; the rest of the file is as it was."""
    assert call("grant", "doc_writer", "repository.list", "files:read:/srv").exit_code == 0
    said = tomllib.loads(crew.read_text())["servers"]["doc_writer"]
    assert said == {"scopes": ["files:read:/srv"], "calls": ["repository.read", "repository.list"]}

    assert call("revoke", "doc_writer", "files:read:/srv", "repository.read").exit_code == 0
    said = tomllib.loads(crew.read_text())["servers"]["doc_writer"]
    assert said == {"scopes": [], "calls": ["repository.list"]}
    assert crew.read_text().startswith("# mine\n")


def test_a_hosts_other_settings_outlive_a_change_of_its_grant(crew: Path) -> None:
    """Only `calls` is another."""
    assert call("grant", "host:cursor", "test_runner.run").exit_code == 0
    said = tomllib.loads(crew.read_text())["hosts"]["cursor"]
    assert said == {"calls": ["repository.*", "test_runner.run"], "decides": True}


def test_a_host_that_is_not_named_starts_from_what_every_host_has(crew: Path) -> None:
    """The entry of its own takes the place of the one of every host, so it begins with that."""
    assert call("revoke", "host:goose", "*").exit_code == 0
    assert tomllib.loads(crew.read_text())["hosts"]["goose"]["calls"] == []


@pytest.mark.parametrize("word", ["foo bar", "read", "work:delete", "files:read:here", "net:connect:0", "a.b c"])
def test_a_word_that_is_neither_scope_nor_tool_changes_nothing(crew: Path, word: str) -> None:
    """It says what there is."""
    done = call("grant", "doc_writer", word)
    assert done.exit_code != 0
    assert "neither a scope nor a tool" in str(done.exception)
    assert crew.read_text() == MINE


def test_a_host_is_given_no_scope(crew: Path) -> None:
    """Scopes are what the kernel lets a process do; a host is none of ours."""
    assert call("grant", "host:cursor", "work:read").exit_code != 0
    assert crew.read_text() == MINE


@pytest.mark.parametrize(
    "name", ["host:Cursor", "host:Claude Desktop", "Docs", "files.read", "*", "person", "host_me", "a__b"]
)
@pytest.mark.parametrize("change", ["grant", "revoke"])
def test_a_name_that_nobody_can_have_changes_nothing(crew: Path, name: str, change: str) -> None:
    """The crew file stays one that can be read."""
    done = call(change, name, "repository.read")
    assert done.exit_code != 0
    assert re.search("can have that name|no server may have|two underscores", str(done.exception))
    assert crew.read_text() == MINE


def test_every_host_is_granted_by_its_star(crew: Path) -> None:
    """Which is quoted where it stands in the file."""
    assert call("grant", "host:*", "test_runner.run").exit_code == 0
    assert load_crew().hosts["*"].calls == ("*", "test_runner.run")


def test_what_a_member_of_podiums_own_needs_cannot_be_taken(crew: Path) -> None:
    """The next house would not start."""
    done = call("revoke", "code_writer", "model.complete")
    assert done.exit_code != 0
    assert "model.complete: code_writer does not start without it" in str(done.exception)
    assert crew.read_text() == MINE


@pytest.mark.parametrize(
    ("name", "word", "told"),
    [
        ("host:goose", "repository.search", r"host:goose holds it within `\*` only"),
        ("host:cursor", "repository.search", r"host:cursor holds it within `repository\.\*` only"),
        ("host:cursor", "test_runner.run", r"not granted that here; it is granted repository\.\*"),
        ("doc_writer", "files:read:/srv", r"not granted that here; it is granted nothing"),
        ("nobody", "repository.read", r"not granted that here; it is granted nothing"),
    ],
)
def test_what_is_not_held_as_such_cannot_be_taken(crew: Path, name: str, word: str, told: str) -> None:
    """Nothing is changed, and it says why."""
    done = call("revoke", name, word)
    assert done.exit_code != 0
    assert re.search(told, str(done.exception))
    assert crew.read_text() == MINE
