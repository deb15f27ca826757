"""Who may be away, by which key, and what it may then do on the bus."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from bus.caller import new_call_id, open_caller
from bus.errors import StoreRefused
from bus.identity import new_identity
from bus.key_file import KeyFileUnusable, read_key_file, write_key_file
from contracts.workspace import CloseParams, CloseResult, PackParams, PackResult
from orchestrator.cli.serve_away import serve_away
from orchestrator.cli.trouble import Trouble
from servers import notary
from servers.away.fit import BoundToTheHouse, fit_member
from servers.crew import CREW_FILE, read_crew
from servers.crew_member import CrewError, Member
from servers.place import Place
from servers.rights import rules_for
from tests.bus.rigs import nats_rig
from tests.git_project import RUN

CREW = read_crew(CREW_FILE)


async def test_only_who_may_read_runs_trees_may_have_them_sent(tmp_path: Path) -> None:
    """The broker refuses everybody else; and whoever may have them sent may not write them."""
    async with nats_rig(tmp_path, CREW.grants()) as nats:
        for name in ("code_writer", "model"):
            async with nats.connect(name) as bus, open_caller(bus) as caller:
                with pytest.raises(StoreRefused, match="does not permit"):
                    await caller.call("workspace", "pack", PackParams(run=RUN), PackResult, call_id=new_call_id())
        async with nats.connect("test_runner") as bus, open_caller(bus) as caller:
            with pytest.raises(StoreRefused, match="does not permit"):
                await caller.call("workspace", "close", CloseParams(run=RUN), CloseResult, call_id=new_call_id())


def test_the_right_to_have_trees_sent_is_the_right_to_read_them() -> None:
    """No crew file need say it, and a server without `work:read` gets it by none that ships."""
    having = {grant.name for grant in CREW.grants() if "workspace.pack" in grant.calls}
    reading = {member.name for member in CREW.members if "work:read" in member.scopes}
    assert having == reading - {"workspace"}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("workspace", "it writes runs' worktrees"),
        ("model", "it holds the keys of models"),
        ("repository", "it reads history"),
        ("nobody", "There is no nobody"),
    ],
)
def test_who_is_bound_to_the_houses_machine_is_told_why(name: str, why: str) -> None:
    """And who is not."""
    with pytest.raises(BoundToTheHouse, match=why) as refused:
        fit_member(CREW, name)
    assert "code_writer, static_analyzer, test_runner, test_writer." in refused.value.failure.way_out


def test_an_agent_of_ones_own_is_not_served_away(tmp_path: Path) -> None:
    """Nor can a crew file say that somebody else's server is."""
    own = tmp_path / "crew.toml"
    own.write_text('[servers.mine]\nagent = "/srv/mine.py"\n')
    with pytest.raises(BoundToTheHouse, match="none of Podium's own"):
        fit_member(read_crew(CREW_FILE, own), "mine")
    own.write_text("[servers.mine]\naway = true\n")
    with pytest.raises(CrewError, match="only those can be away"):
        read_crew(CREW_FILE, own)


def test_who_is_away_is_known_to_the_house_and_not_started_by_it(tmp_path: Path) -> None:
    """It keeps its identity, its mail and its grant."""
    own = tmp_path / "crew.toml"
    own.write_text('[servers.test_runner]\nscopes = ["work:read", "sandbox:run"]\naway = true\n')
    crew = read_crew(CREW_FILE, own)
    assert crew.by_name.keys() - crew.at_home.keys() == {"test_runner"}
    assert crew.grants() == CREW.grants()


def test_a_key_is_read_by_its_owner_and_under_its_own_name_only(tmp_path: Path) -> None:
    """What is there already is not written over."""
    file, identity = tmp_path / "runner.key", new_identity("test_runner")
    write_key_file(file, identity)
    assert (file.stat().st_mode & 0o777, read_key_file(file, "test_runner")) == (0o600, identity)
    with pytest.raises(FileExistsError):
        write_key_file(file, new_identity("test_runner"))
    with pytest.raises(KeyFileUnusable, match="the key of test_runner, not of code_writer"):
        read_key_file(file, "code_writer")
    file.chmod(0o640)
    with pytest.raises(KeyFileUnusable, match="can be read by others"):
        read_key_file(file, "test_runner")
    for text in ("", "# The private key of test_runner in a crew\nnonsense\n"):
        file.unlink()
        file.touch(mode=0o600)
        file.write_text(text)
        with pytest.raises(KeyFileUnusable, match="is no key"):
            read_key_file(file, "test_runner")
    with pytest.raises(KeyFileUnusable, match="No such file"):
        read_key_file(tmp_path / "none", "test_runner")


@pytest.mark.parametrize(
    ("url", "looks_up"),
    [
        ("nats://127.0.0.1:4222", False),
        ("nats://[::1]:4222,nats://localhost", False),
        ("nats://10.0.0.1,nats://host-1.example:4222", True),
        ("", False),
    ],
)
def test_a_broker_known_by_name_can_be_looked_up(tmp_path: Path, url: str, looks_up: bool) -> None:
    """By a confined member and by the notary; where there is no name they may not even ask."""
    member, place = Member(name="test_runner", scopes=("work:read", "sandbox:run")), Place(tmp_path, url)
    assert rules_for(member, place, tmp_path, {}, {}).resolve is looks_up
    assert notary.rules(place).resolve is looks_up


@pytest.mark.parametrize(
    ("words", "key", "others", "url", "told"),
    [
        (("test_runner",), None, {}, "nats://x", "no key to be test_runner by"),
        (("test_runner",), Path("key"), {}, "", "PODIUM_NATS_URL is not set"),
        ((), Path("key"), {}, "nats://x", "one specialist is served"),
        (("test_runner",), Path("key"), {"--name": "", "--approve": True}, "nats://x", "^--approve has no meaning"),
    ],
)
def test_a_command_that_makes_no_sense_is_refused(
    words: tuple[str, ...],
    key: Path | None,
    others: Mapping[str, object],
    url: str,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before anything is started."""
    monkeypatch.setenv("PODIUM_NATS_URL", url)
    with pytest.raises(Trouble, match=told):
        serve_away(words, key, None, others)
