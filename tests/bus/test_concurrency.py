"""How many calls a server works on at once, and what becomes of the others."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from bus.bus import Bus
from bus.caller import new_call_id, open_caller
from bus.errors import CallFailed
from bus.grants import SERVE, Grant
from bus.provision import provision
from bus.subjects import CallSubject
from contracts.ledger import server_stream
from servers.crew import Crew
from servers.crew_member import CrewError, Member
from servers.specialist import Call, tool
from tests.bus.echo import Echo, EchoParams, EchoResult, served
from tests.bus.rigs import CREW, nats_rig

PATIENCE_S = 20


class Busy(Echo):
    """Counts how many calls it works on at once."""

    def __init__(self) -> None:
        super().__init__()
        self.at_once, self.most = 0, 0

    @tool()
    async def wait(self, params: EchoParams, call: Call) -> EchoResult:
        """Begin, and wait to be released."""
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await self.released.wait()
        self.at_once -= 1
        return self._did(params, call)


def crew_of(concurrency: int) -> tuple[Grant, ...]:
    return tuple(replace(each, concurrency=concurrency) if each.name == "echo" else each for each in CREW)


async def consumer(operator: Bus) -> dict[str, int]:
    """What the broker says of the echo's consumer."""
    answer = await operator.request(f"{operator.control}.API.CONSUMER.INFO.{server_stream('echo')}.{SERVE}", b"")
    said = json.loads(answer.body)
    return {
        "at work": said["num_ack_pending"],
        "waiting": said["num_pending"],
        "most": said["config"]["max_ack_pending"],
    }


async def test_more_calls_than_a_server_works_on_at_once_wait_in_the_ledger(tmp_path: Path) -> None:
    """They are delivered as places become free; the limit of a server that was there before is changed."""
    crew = crew_of(3)
    echo, answers = Busy(), list[str]()
    async with (
        nats_rig(tmp_path) as nats,
        nats.connect("operator") as operator,
        nats.connect("echo") as server,
        nats.connect("orchestrator") as bus,
        open_caller(bus) as caller,
    ):
        assert (await consumer(operator))["most"] == 64
        await provision(operator, crew, {})
        async with served(server, echo), anyio.create_task_group() as tasks:

            async def ask() -> None:
                said = await caller.call("echo", "wait", EchoParams(text="x"), EchoResult, call_id=new_call_id())
                answers.append(said.text)

            for _ in range(10):
                tasks.start_soon(ask)
            with anyio.fail_after(PATIENCE_S):
                while await consumer(operator) != {"at work": 3, "waiting": 7, "most": 3}:
                    await anyio.lowlevel.checkpoint()
            echo.released.set()
        assert (len(answers), echo.most) == (10, 3)


async def test_a_call_that_is_cancelled_while_it_waits_for_its_turn_is_not_executed(tmp_path: Path) -> None:
    """It is answered when its turn comes, as cancelled."""
    echo, answers, unwanted = Busy(), list[str](), CallSubject("echo", "wait", "orchestrator", new_call_id())
    async with (
        nats_rig(tmp_path, crew_of(1)) as nats,
        nats.connect("operator") as operator,
        nats.connect("echo") as server,
        nats.connect("orchestrator") as bus,
        open_caller(bus) as caller,
        served(server, echo),
        anyio.create_task_group() as tasks,
    ):

        async def ask(call_id: str) -> None:
            try:
                await caller.call("echo", "wait", EchoParams(text="x"), EchoResult, call_id=call_id)
                answers.append("done")
            except CallFailed as failed:
                answers.append(failed.failure.message)

        for number, call_id in enumerate([new_call_id(), unwanted.call_id], start=1):
            tasks.start_soon(ask, call_id)
            with anyio.fail_after(PATIENCE_S):
                while sum((await consumer(operator)).values()) != number + 1:
                    await anyio.lowlevel.checkpoint()
        await bus.publish(unwanted.cancel, b"")
        await bus.request("rpc.echo.tools.list.orchestrator", b"{}")  # whatever it is answered, that was heard before
        echo.released.set()
    assert (answers, len(echo.executed)) == (["done", "cancelled by its caller"], 1)


def test_servers_that_may_call_each_other_in_a_circle_are_no_crew() -> None:
    """With all places taken, each could wait for a place that another keeps; so it is refused, and the circle named."""
    members = [Member(name=name, calls=calls) for name, calls in (("a", ("b.x",)), ("b", ("c.*",)), ("c", ()))]
    assert Crew(tuple(members)).by_name.keys() == {"a", "b", "c"}
    for calls, circle in ((("a.x",), "(a → b → c → a|b → c → a → b|c → a → b → c)"), (("c.y",), "c → c")):
        with pytest.raises(CrewError, match=f"in a circle, as all of {circle} "):
            Crew((*members[:2], Member(name="c", calls=calls)))
    packs = Member(name="reader", scopes=("work:read",))  # of the workspace's, where it is away
    with pytest.raises(CrewError, match="in a circle"):
        Crew((packs, Member(name="workspace", scopes=("work:read", "work:write"), calls=("reader.read",))))
