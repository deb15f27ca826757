"""Servers and hosts join a crew that runs, with what they were granted, and leave it without a trace but the ledger."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from pathlib import Path

import anyio
import pytest

from bus.caller import Caller, new_call_id, open_caller
from bus.connect import connect, identities
from bus.errors import BusError, CallFailed, StoreRefused
from bus.registry import cards
from contracts.base import Model
from contracts.config import Joining, ServerConfig
from contracts.ledger import GRANTS_BUCKET
from contracts.pin import pin_file
from contracts.repository import ListParams, ListResult
from contracts.terms import GATEWAY, Terms
from orchestrator import house as houses
from orchestrator.house_start import HouseFailed
from tests.bridge.rig import approve, joined
from tests.cli.conftest import Podium

AGENT = '''"""Greets."""

from pathlib import Path

from contracts.base import Model
from contracts.manifest import Manifest
from servers.specialist import Call, Room, tool


class GreetParams(Model):
    name: str


class GreetResult(Model):
    greeting: str


class Greeter:
    manifest = Manifest(name="greeter", title="Greeter", description="Greets.")

    def __init__(self, room: Room) -> None:
        pass

    @tool(read_only=True)
    async def greet(self, params: GreetParams, call: Call) -> GreetResult:
        """Greet somebody; a path is greeted with what stands in it."""
        path = Path(params.name)
        return GreetResult(greeting=path.read_text() if path.is_absolute() else f"Hello, {params.name}!")
'''


class GreetParams(Model):
    name: str


class GreetResult(Model):
    greeting: str


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    file = tmp_path / "agents" / "greeter.py"
    file.parent.mkdir()
    file.write_text(AGENT, encoding="utf-8")
    return file


@asynccontextmanager
async def speaking(podium: Podium, host: Joining) -> AsyncGenerator[Caller]:
    """A host that has joined the house that is up."""
    found = await houses.status(podium.state)
    assert found is not None
    async with houses.joined(podium.state, host):
        async with connect(podium.state, found.url, f"host_{host.name}") as bus, open_caller(bus) as caller:
            yield caller


async def greet(caller: Caller, name: str) -> str:
    params = GreetParams(name=name)
    return (await caller.call("greeter", "greet", params, GreetResult, call_id=new_call_id())).greeting


async def names(podium: Podium) -> set[str]:
    found = await houses.status(podium.state)
    assert found is not None
    async with connect(podium.state, found.url, "auditor") as bus:
        return {card.manifest.name for card in await cards(bus)}


async def gone(podium: Podium, name: str) -> None:
    """Wait until the registry has forgotten `name`."""
    with anyio.fail_after(30):
        while name in await names(podium):
            await anyio.lowlevel.checkpoint()


async def test_an_agent_that_joins_is_called_by_a_host_and_leaves_with_its_connection(
    kept: Podium, agent: Path
) -> None:
    """One file becomes a member of a crew that runs; it is in the registry as long as somebody holds it there."""
    async with joined(kept, "greeter", ServerConfig(agent=str(agent))):
        assert "greeter" in await names(kept)
        async with speaking(kept, Joining(name="cursor")) as caller:
            assert await greet(caller, "Ada") == "Hello, Ada!"
    await gone(kept, "greeter")


async def test_an_agent_reads_only_the_files_it_was_granted(kept: Podium, agent: Path, tmp_path: Path) -> None:
    """The kernel holds its process: a granted folder is open to it, its neighbour is not."""
    for folder in ("granted", "closed"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "note").write_text(folder, encoding="utf-8")
    scopes = (f"files:read:{tmp_path / 'granted'}",)
    server = ServerConfig(agent=str(agent), scopes=scopes)
    async with joined(kept, "greeter", server), speaking(kept, Joining(name="cursor")) as caller:
        assert await greet(caller, str(tmp_path / "granted" / "note")) == "granted"
        with pytest.raises(CallFailed, match="PermissionError"):
            await greet(caller, str(tmp_path / "closed" / "note"))


async def test_an_agent_whose_tools_nobody_approved_answers_no_call(kept: Podium, agent: Path) -> None:
    """The failure is a stored one and says what to do; approved and changed afterwards, it says what changed."""
    pin_file(kept.crew, "greeter").unlink(missing_ok=True)
    async with (
        joined(kept, "greeter", ServerConfig(agent=str(agent)), approved=False) as card,
        speaking(kept, Joining(name="cursor")) as caller,
    ):
        with pytest.raises(
            CallFailed, match=r"its tools were never approved.*podium agents approve greeter"
        ) as refused:
            await greet(caller, "Ada")
        assert refused.value.failure.kind == "denied"
        await approve(kept, card)
        assert await greet(caller, "Ada") == "Hello, Ada!"

    agent.write_text(AGENT.replace("Greet somebody;", "Greet anybody;"), encoding="utf-8")
    async with (
        joined(kept, "greeter", ServerConfig(agent=str(agent)), approved=False),
        speaking(kept, Joining(name="cursor")) as caller,
    ):
        with pytest.raises(CallFailed, match="greet changed its title, description"):
            await greet(caller, "Ada")


async def test_a_host_keeps_to_what_it_asked_for(kept: Podium) -> None:
    """What a gateway gave up when it joined, the broker refuses to carry for it."""
    async with speaking(kept, Joining(name="narrow", terms=Terms(only=frozenset({"workspace"})))) as caller:
        assert await refused(caller)


async def refused(caller: Caller) -> bool:
    """Whether the broker does not let a host ask the repository."""
    try:
        await caller.call("repository", "list", ListParams(run="r-aaaa"), ListResult, call_id=new_call_id())
    except StoreRefused:
        return True
    except CallFailed:  # there is no such run
        return False
    raise AssertionError("unreachable")


@pytest.mark.parametrize("decides", [True, False])
async def test_a_host_writes_decisions_only_where_its_people_answer_gates(kept: Podium, decides: bool) -> None:
    """The broker refuses them from any other gateway, one that is read-only among them; and run events from all."""
    found = await houses.status(kept.state)
    assert found is not None
    name = f"gates-{decides}".lower()
    async with houses.joined(kept.state, Joining(name=name, terms=Terms(read_only=not decides))):
        async with connect(kept.state, found.url, f"host_{name}") as bus:
            with nullcontext() if decides else pytest.raises(StoreRefused):
                await bus.store(f"gate.r-{name}.plan.decision", b"{}")
            with pytest.raises(StoreRefused):
                await bus.store(f"run.r-{name}.handed-over", b"{}")


async def test_a_host_is_not_granted_the_server_that_holds_the_keys(kept: Podium) -> None:
    """`*` means every server without a key; asking for more is refused with what it was."""
    for name in ("model", "nobody"):
        with pytest.raises(HouseFailed, match=f"host cursor was not granted {name}; the crew has code_writer"):
            async with houses.joined(kept.state, Joining(name="cursor", terms=Terms(only=frozenset({name})))):
                pass


async def test_two_gateways_of_one_host_share_its_identity_but_not_with_other_rights(kept: Podium) -> None:
    """The same wish joins again; another one is refused, for an identity has one set of rights."""
    async with houses.joined(kept.state, Joining(name="code")), speaking(kept, Joining(name="code")):
        with pytest.raises(HouseFailed, match="host code is here already, with other rights"):
            async with houses.joined(kept.state, Joining(name="code", terms=Terms(read_only=True))):
                pass


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def broken(", "was never closed"),
        ("x = 1\n", "expected one class with a `manifest`, found 0"),
        (AGENT.replace('"Greets.")', '"Greets.", calls=("repository.read",))'), "needs repository.read"),
    ],
)
async def test_an_agent_that_cannot_serve_says_why(kept: Podium, agent: Path, source: str, said: str) -> None:
    """Whoever had it join hears the reason, and the crew goes on without it."""
    agent.write_text(source, encoding="utf-8")
    with pytest.raises(HouseFailed) as refused:
        async with houses.joined(kept.state, Joining(name="greeter", server=ServerConfig(agent=str(agent)))):
            pass
    assert said in str(refused.value)
    assert "repository" in await names(kept)


async def test_what_the_crew_file_grants_a_name_holds_for_whoever_joins_under_it(fresh: Podium, agent: Path) -> None:
    """A grant can stand before the server is there; it is served with it."""
    agent.write_text(AGENT.replace('"Greets.")', '"Greets.", calls=("repository.read",))'), encoding="utf-8")
    fresh.crew.write_text('[servers.greeter]\ncalls = ["repository.read"]\n', encoding="utf-8")
    assert fresh("up").code == 0
    async with houses.joined(fresh.state, Joining(name="greeter", server=ServerConfig(agent=str(agent)))):
        assert "greeter" in await names(fresh)


@pytest.mark.parametrize("name", ["host_cursor", "person", "orchestrator", "podium"])
async def test_a_name_that_stands_for_somebody_else_is_refused(kept: Podium, agent: Path, name: str) -> None:
    """Whoever decides at gates, or is a host, is known by name: no server takes it."""
    with pytest.raises(HouseFailed, match="no server may have that name"):
        async with houses.joined(kept.state, Joining(name=name, server=ServerConfig(agent=str(agent)))):
            pass


async def test_a_host_may_keep_nothing_of_its_grant(kept: Podium) -> None:
    """Nothing is not all of it: the broker carries no call for a host of runs only."""
    async with speaking(kept, Joining(name="still", terms=Terms(only=frozenset({GATEWAY})))) as caller:
        assert await refused(caller)


async def test_a_server_leaves_while_a_host_is_here_for_nothing_else(kept: Podium, agent: Path) -> None:
    """The host keeps nothing then, and what it asked for once the server is back; nobody else notices."""
    host = Joining(name="greeted", terms=Terms(only=frozenset({"greeter"})))
    async with joined(kept, "greeter", ServerConfig(agent=str(agent))):
        pass  # its tools are approved from now on
    async with AsyncExitStack() as stays:
        async with joined(kept, "greeter", ServerConfig(agent=str(agent))):
            caller = await stays.enter_async_context(speaking(kept, host))
            assert await greet(caller, "Ada") == "Hello, Ada!"
        await gone(kept, "greeter")
        with pytest.raises(StoreRefused):
            await greet(caller, "Ada")
        async with joined(kept, "greeter", ServerConfig(agent=str(agent))):
            assert await greet(caller, "Ada") == "Hello, Ada!"


async def test_a_grant_is_taken_from_a_host_that_is_here_for_nothing_else(fresh: Podium) -> None:
    """It goes on without; what is changed for others holds, too."""
    fresh.crew.write_text('[hosts.cursor]\ncalls = ["repository.*"]\n', encoding="utf-8")
    assert fresh("up").code == 0
    async with speaking(fresh, Joining(name="cursor", terms=Terms(only=frozenset({"repository"})))) as caller:
        assert not await refused(caller)
        fresh.crew.write_text("[hosts.cursor]\ncalls = []\n", encoding="utf-8")
        await houses.reload(fresh.state)
        assert await refused(caller)


async def test_a_name_that_is_taken_is_refused(kept: Podium, agent: Path) -> None:
    """Nobody joins under the name of a member."""
    with pytest.raises(HouseFailed, match="there is a server model in the crew already"):
        async with houses.joined(kept.state, Joining(name="model", server=ServerConfig(agent=str(agent)))):
            pass


async def test_the_identity_of_a_host_that_left_is_refused(kept: Podium) -> None:
    """With the last gateway of a host its rights go, too."""
    async with speaking(kept, Joining(name="gone")):
        pass
    found = await houses.status(kept.state)
    assert found is not None
    with pytest.raises(BusError):
        async with connect(kept.state, found.url, "host_gone"):
            pass


async def test_a_house_outlives_a_departure_that_it_cannot_settle(fresh: Podium) -> None:
    """It goes on with the crew it has, and makes good for it later: then the broker knows who left no more."""
    assert fresh("up").code == 0
    found = await houses.status(fresh.state)
    assert found is not None
    keys, aside = identities(fresh.state), fresh.state / "aside"
    async with houses.joined(fresh.state, Joining(name="cursor")):
        keys.rename(aside)
        keys.touch()
    with anyio.fail_after(30):
        while "who has left may still be known" not in (fresh.state / "house.log").read_text(encoding="utf-8"):
            await anyio.lowlevel.checkpoint()
    keys.unlink()
    aside.rename(keys)
    assert await houses.status(fresh.state) == found
    async with connect(fresh.state, found.url, "auditor") as bus:
        with anyio.fail_after(30):
            while "host_cursor" in await bus.entries(GRANTS_BUCKET):
                await anyio.lowlevel.checkpoint()
    with pytest.raises(BusError):
        async with connect(fresh.state, found.url, "host_cursor"):
            pass


def test_a_persons_own_crew_file_is_taken_up_by_the_house_that_runs(fresh: Podium, agent: Path) -> None:
    """Its servers are started with the house; reading it again starts and ends what changed."""
    fresh.crew.write_text(f'[servers.greeter]\nagent = "{agent}"\n', encoding="utf-8")
    assert fresh("up").code == 0
    assert "greeter" in listed(fresh)

    fresh.crew.write_text("", encoding="utf-8")
    anyio.run(houses.reload, fresh.state)
    anyio.run(gone, fresh, "greeter")

    fresh.crew.write_text('[servers.model]\ncommand = ["cat"]\n', encoding="utf-8")
    with pytest.raises(HouseFailed, match="model is Podium's own"):
        anyio.run(houses.reload, fresh.state)
    assert "repository" in listed(fresh)


def listed(podium: Podium) -> set[str]:
    return {card["manifest"]["name"] for card in podium("agents", "--json").document}
