"""Two environments on one NATS server, as `podium broker-config --environment` sets it up."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import anyio
import pytest

from bus.broker import find_server
from bus.bus import Bus, Message
from bus.caller import new_call_id, open_caller
from bus.connect import connect, identities
from bus.errors import BusUnavailable
from bus.identity import load_identity
from bus.provision import ask_jetstream, provision
from bus.registry import cards
from contracts.ledger import RUNS_STREAM, server_stream
from contracts.manifest import Manifest
from servers.broker_config import broker_config
from servers.crew import CREW_FILE, read_crew
from tests.bus.echo import Echo, EchoParams, EchoResult, served
from tests.e2e.rig import broker_of_its_own

SERVER_CONF = Path(__file__).resolve().parents[2] / "configs/environments/server.conf"
CREW = read_crew(CREW_FILE)
RUN = "r-aaaa"


class Reader(Echo):
    """Answers in the place of `repository`."""

    manifest: ClassVar[Manifest] = Manifest(name="repository", title="Reader", description="For tests.")


@dataclass(frozen=True)
class Environment:
    """One of the two, by its keys."""

    state: Path
    url: str

    def connect(self, name: str) -> AbstractAsyncContextManager[Bus]:
        return connect(self.state, self.url, name)

    async def ask(self, bus: Bus, text: str) -> EchoResult:
        async with open_caller(bus) as caller:
            params = EchoParams(text=text)
            return await caller.call("repository", "say", params, EchoResult, call_id=new_call_id(), run=RUN, step="s")


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Environment, Environment]]:
    """`dev` and `prod`, on one server with the configuration that ships."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    for name in ("dev", "prod"):
        (folder / f"{name}.json").write_text(broker_config(tmp_path / name, CREW, name))
    ours = ("listen:", "jetstream ")  # where it listens and stores is the test's affair
    shipped = "".join(line for line in SERVER_CONF.read_text().splitlines(True) if not line.startswith(ours))
    with broker_of_its_own(folder, find_server(), shipped) as (_, url):
        yield Environment(tmp_path / "dev", url), Environment(tmp_path / "prod", url)


@asynccontextmanager
async def operating(environment: Environment) -> AsyncGenerator[Bus]:
    """Its operator, once it has set everything up."""
    grants = CREW.grants()
    keys = {grant.name: load_identity(identities(environment.state), grant.name).public for grant in grants}
    async with environment.connect("operator") as bus:
        await provision(bus, grants, keys)
        yield bus


class Ear:
    """Everything that somebody hears, who may hear whatever is said."""

    def __init__(self) -> None:
        self.subjects: list[str] = []
        self._more = anyio.Event()

    async def hear(self, message: Message) -> None:
        self.subjects.append(message.subject)
        self._more.set()

    async def until(self, beginning: str) -> None:
        while not any(subject.startswith(beginning) for subject in self.subjects):
            self._more = anyio.Event()
            with anyio.fail_after(30):
                await self._more.wait()


async def test_environments_on_one_server_see_nothing_of_each_other(both: tuple[Environment, Environment]) -> None:
    """Subjects are the same; runs, crew and calls are not. Who may do anything in one can do nothing in the other."""
    dev, prod = both
    ear, reader = Ear(), Reader()
    async with operating(dev) as operator, operating(prod), operator.listen(">", ear.hear):
        async with dev.connect("orchestrator") as in_dev, prod.connect("orchestrator") as in_prod:
            await in_prod.store(f"run.{RUN}.started", b"of prod")
            assert await in_dev.last(RUNS_STREAM, f"run.{RUN}.started") is None
            await in_dev.store(f"run.{RUN}.started", b"of dev")

            async with prod.connect("repository") as bus, served(bus, reader), anyio.create_task_group() as tasks:
                assert [card.manifest.title for card in await cards(in_prod)] == ["Reader"]
                assert await cards(in_dev) == ()
                tasks.start_soon(dev.ask, in_dev, "dev")
                await ear.until("call.repository.say.")
                assert (await prod.ask(in_prod, "prod")).text == "prod"
                assert len(reader.executed) == 1, "what dev asked before was delivered to nobody in prod"
                tasks.cancel_scope.cancel()

        async with dev.connect("auditor") as auditor:
            assert [kept.body async for kept in auditor.history(RUNS_STREAM)] == [b"of dev"]
            called = [kept.body async for kept in auditor.history(server_stream("repository"))]
            assert [b'"text":"dev"' in body for body in called] == [True]
        listed = await ask_jetstream(operator, "STREAM.LIST", {})
        kept = {one["config"]["name"]: one["state"]["messages"] for one in listed["streams"]}
        assert (kept[RUNS_STREAM], kept[server_stream("repository")]) == (1, 1)
        await operator.publish("the.last", b"")
        await ear.until("the.last")
    said = [subject for subject in ear.subjects if subject.startswith(("run.", "call.", "result."))]
    assert [subject.partition(".")[0] for subject in said] == ["run", "call"], "and all of it dev's own"


async def test_a_key_opens_its_own_environment_alone(both: tuple[Environment, Environment], tmp_path: Path) -> None:
    """There is nothing to choose at the door: whose key it is, says where one is; a key of neither says nothing."""
    dev, _ = both
    with pytest.raises(BusUnavailable):
        async with connect(tmp_path / "stranger", dev.url, "operator"):
            pass
