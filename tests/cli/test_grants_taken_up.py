"""A house that runs takes up what is granted and taken back, or says why not; then the file is as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.config import ServerConfig
from orchestrator import house as houses
from orchestrator.house_start import HouseFailed
from tests.bridge.rig import joined
from tests.cli.conftest import Podium
from tests.cli.test_joining import AGENT

NEEDY = AGENT.replace('"Greets.")', '"Greets.", calls=("repository.read",))')


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    file = tmp_path / "greeter.py"
    file.write_text(AGENT, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("grant", "code_writer", "repository.nope"), "code_writer is granted repository.nope, but repository has no"),
        (("grant", "host:cursor", "repository.nope"), "host:cursor is granted repository.nope, but repository has no"),
    ],
)
def test_what_cannot_be_is_not_written(kept: Podium, words: tuple[str, ...], told: str) -> None:
    """The file is as it was, and so is the crew."""
    kept.crew.write_text("# mine\n", encoding="utf-8")
    done = kept("agents", *words)
    assert (done.code, told in done.err, "Nothing was changed" in done.err) == (1, True, True), done.err
    assert kept.crew.read_text() == "# mine\n"
    assert list(kept.crew.parent.glob("crew.toml.*")) == []


async def test_a_crew_file_without_what_a_member_needs_is_not_taken_up(kept: Podium) -> None:
    """The house says so, and the member goes on."""
    kept.crew.write_text("[servers.code_writer]\ncalls = []\n", encoding="utf-8")
    try:
        with pytest.raises(HouseFailed, match=r"code_writer needs .*model\.complete"):
            await houses.reload(kept.state)
    finally:
        kept.crew.write_text("", encoding="utf-8")
    found = await houses.reload(kept.state)
    assert found is not None
    assert "model.complete" in found.holds["code_writer"]


def test_a_grant_of_what_there_is_not_does_not_keep_a_house_from_starting(fresh: Podium) -> None:
    """It is written into the house's log, and holds up no other change."""
    fresh.crew.write_text('[hosts.cursor]\ncalls = ["repository.nope"]\n[servers.greeter]\ncalls = ["model.nope"]\n')
    assert fresh("up").code == 0
    log = (fresh.state / "house.log").read_text(encoding="utf-8")
    assert "host:cursor is granted repository.nope, but repository has no tool 'nope'" in log
    assert "greeter is granted model.nope" in log
    assert fresh("agents", "grant", "host:goose", "repository.read").code == 0


def test_a_member_that_does_not_start_without_what_is_taken_is_named(fresh: Podium, agent: Path) -> None:
    """It is taken all the same: that a person wants it so is in the file."""
    agent.write_text(NEEDY, encoding="utf-8")
    fresh.crew.write_text(f'[servers.greeter]\nagent = "{agent}"\ncalls = ["repository.read"]\n', encoding="utf-8")
    assert fresh("up").code == 0
    done = fresh("agents", "revoke", "greeter", "repository.read")
    assert done.code == 1
    assert "greeter cannot serve: greeter needs repository.read" in done.err
    assert "calls = []" in fresh.crew.read_text()
    assert fresh("agents", "grant", "greeter", "repository.read").code == 0


async def test_what_is_held_is_what_the_crew_says(kept: Podium, agent: Path) -> None:
    """What was granted on the command line is held for as long as that runs."""
    kept.crew.write_text("", encoding="utf-8")
    async with joined(kept, "greeter", ServerConfig(agent=str(agent), scopes=("files:read:/srv",))):
        done = kept("agents", "grant", "greeter", "repository.list")
        assert done.out == "greeter holds: files:read:/srv, repository.list\n"
        done = kept("agents", "revoke", "greeter", "files:read:/srv")
        assert done.code == 1
        assert "What `podium serve --grant` gave ends with that command." in done.err


def test_who_may_call_a_member_are_those_the_broker_lets(kept: Podium) -> None:
    """A host of everything may not call the server that holds the keys."""
    kept.crew.write_text("", encoding="utf-8")
    shown = {name: " ".join(kept("agents", "show", name).out.split()) for name in ("model", "repository")}
    assert "called by orchestrator, code_writer, test_writer complete" in shown["model"]
    assert "called by orchestrator, code_writer, test_writer, host:* " in shown["repository"]
