"""What a host keeps of its grant: what its terms leave of it, whoever comes and goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from bus.grants import Grant
from contracts.base import utc_now
from contracts.config import HostConfig, Joining, ServerConfig
from contracts.manifest import ToolSpec
from contracts.pin import Pin, pin_file
from contracts.terms import GATEWAY, Terms
from servers.crew import CREW_FILE, Crew, read_crew
from servers.crew_member import CrewError


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A person's own crew file with a server whose tools were approved, beside Podium's own."""
    tools = tuple(
        ToolSpec(name=name, title="", description="", input_schema={}, read_only=name == "look")
        for name in ("look", "wipe")
    )
    file = tmp_path / "crew.toml"
    file.write_text('[servers.tiny]\ncommand = ["tiny"]\n', encoding="utf-8")
    pin = pin_file(file, "tiny")
    pin.parent.mkdir()
    pin.write_text(Pin(server="tiny", tools=tools, approved_at=utc_now(), approved_by="ada").model_dump_json())
    return file


def grant_of(crew: Crew, host: str = "cursor") -> Grant:
    return next(grant for grant in crew.grants() if grant.name == f"host_{host}")


def here(*only: str, read_only: bool = False) -> Joining:
    return Joining(name="cursor", terms=Terms(only=frozenset(only), read_only=read_only))


def granted(own: Path, *calls: str) -> Crew:
    with own.open("a", encoding="utf-8") as file:
        file.write(f"[hosts.cursor]\ncalls = {list(calls)}\n")
    return read_crew(CREW_FILE, own)


def test_a_server_that_was_named_may_be_granted_in_part(own: Path) -> None:
    """The host keeps that part."""
    crew = granted(own, "repository.read", "workspace.*").admitting(here("repository"))
    assert grant_of(crew).calls == ("repository.read",)


def test_a_server_that_does_not_run_yet_may_be_named(own: Path) -> None:
    """What the crew file says counts, not who has started."""
    assert grant_of(read_crew(CREW_FILE, own).admitting(here("tiny"))).calls == ("tiny.*",)


def test_a_read_only_host_keeps_the_tools_that_are_known_to_change_nothing(own: Path) -> None:
    """Of Podium's own by their class, of others as a person approved them; a server that joins later adds its own."""
    crew = read_crew(CREW_FILE, own).admitting(here("repository", "workspace", "tiny", read_only=True))
    calls = set(grant_of(crew).calls)
    assert {"repository.read", "workspace.diff", "tiny.look"} <= calls
    assert not {"workspace.apply", "tiny.wipe", "tiny.*"} & calls

    everything = read_crew(CREW_FILE).admitting(here(read_only=True))
    late = read_crew(own).by_name["tiny"].model_dump(include={"command"})
    assert "tiny.look" not in grant_of(everything).calls
    joined = Crew(everything.members, everything.hosts, present=everything.present, own_file=own).joined_by(
        Joining(name="tiny", server=ServerConfig(**late))
    )
    assert "tiny.look" in grant_of(joined).calls


def test_terms_add_nothing_to_a_grant(own: Path) -> None:
    """A tool that changes nothing is kept only where it was granted."""
    crew = granted(own, "repository.read", "workspace.apply").admitting(here(read_only=True))
    assert grant_of(crew).calls == ("repository.read",)


def test_a_host_that_asks_for_what_it_was_not_granted_at_all_does_not_join(own: Path) -> None:
    """A misspelt name is said when it is typed."""
    with pytest.raises(CrewError, match="host cursor was not granted workspace"):
        granted(own, "repository.read").admitting(here("repository", "workspace", GATEWAY))


def test_a_host_that_is_here_stays_whatever_becomes_of_its_grant(own: Path) -> None:
    """It keeps nothing then."""
    crew = read_crew(CREW_FILE, own).admitting(here("tiny"))
    assert grant_of(Crew(crew.members, {"*": HostConfig()}, present=crew.present)).calls == ()
    assert grant_of(crew.without(Joining(name="tiny", server=ServerConfig(command=("tiny",))))).calls == ()


@pytest.mark.parametrize(
    ("terms", "decides"),
    [
        (Terms(), True),
        (Terms(read_only=True), False),
        (Terms(only=frozenset({"tiny"})), False),
        (Terms(only=frozenset({"tiny", GATEWAY})), True),
    ],
)
def test_gates_are_answered_through_a_host_that_has_the_tools_for_runs(own: Path, terms: Terms, decides: bool) -> None:
    """And may change something."""
    crew = read_crew(CREW_FILE, own).admitting(Joining(name="cursor", terms=terms))
    assert grant_of(crew).decides_gates is decides
