"""Grants are changed in the person's own crew file, where everything else stays as it is."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli.agents import agents

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
    return CliRunner().invoke(agents, words)


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
