"""Calls on behalf of a call: their ids follow from what is asked, and the answer gives an account of them."""

from __future__ import annotations

import json
from typing import ClassVar

import anyio
import pytest

from bus.bus import Bus, Stored
from bus.caller import new_call_id, open_caller
from bus.mandates import put_mandate
from bus.nested import ACCOUNT_META, Account, account_of, nested_id
from bus.subjects import CallSubject
from bus.wire import Correlation, JsonObject, call_request, correlation_of, failure_result, parse
from contracts.base import sha256
from contracts.failure import Failure
from contracts.ledger import server_stream
from contracts.mandate import Mandate
from contracts.manifest import Manifest
from contracts.trace import trace_of_call, trace_of_run, traceparent
from servers.runtime import BusCrew
from servers.specialist import Call, Crew, ToolError, tool
from tests.bus.echo import Echo, EchoParams, EchoResult, served
from tests.bus.rigs import Rig

PARENT = "0" * 31 + "1"
MANDATE = Mandate(calls={"other": ("echo.say",)})


class Relay:
    """Has `echo` say things, one after the other."""

    manifest: ClassVar[Manifest] = Manifest(name="other", title="Relay", description="For tests.")

    def __init__(self, crew: Crew, *texts: str, stuck: bool = False) -> None:
        self.asked = anyio.Event()
        self._crew = crew
        self._texts = texts
        self._stuck = stuck

    @tool()
    async def relay(self, params: EchoParams, call: Call) -> EchoResult:
        """Have it said; then fail where that is asked for."""
        for text in self._texts:
            await self._crew.call("echo.say", EchoParams(text=text), EchoResult, parent=call)
        self.asked.set()
        if self._stuck:
            await anyio.sleep_forever()
        if params.text == "fail":
            raise ToolError("conflict", "not this time")
        return EchoResult(text=params.text, caller=call.caller, executions=1)


def saying(text: str, nth: int = 1) -> str:
    return nested_id(PARENT, "echo.say", EchoParams(text=text).digest(), nth)


async def stored(bus: Bus, server: str) -> dict[str, Stored]:
    return {kept.subject: kept async for kept in bus.history(server_stream(server))}


async def account(bus: Bus) -> Account | None:
    """What stands in the answer of `other`."""
    kept = (await stored(bus, "other"))[CallSubject("other", "relay", "orchestrator", PARENT).result]
    return account_of(parse(kept.subject, kept.body))


@pytest.mark.parametrize("capabilities", [{}, None], ids=["plain", "by the SDK"])
@pytest.mark.parametrize("text", ["go", "fail"])
async def test_an_answer_says_what_was_asked_for_it_and_answered(
    rig: Rig, text: str, capabilities: JsonObject | None
) -> None:
    """By id and digest of the stored answer, in a failure too; the same question twice is two calls."""
    request = json.loads(call_request(PARENT, "relay", EchoParams(text=text), Correlation("r-run1", "step")))
    if capabilities is None:
        request["params"]["inputResponses"] = {}  # not what the direct way takes
    async with rig.connect("echo") as echo, rig.connect("other") as other, rig.connect("orchestrator") as bus:
        await put_mandate(bus, "r-run1", MANDATE)
        async with open_caller(other) as asking, open_caller(bus) as caller:
            async with served(echo, Echo()), served(other, Relay(BusCrew(asking), "a", "b", "a")):
                subject = CallSubject("other", "relay", "orchestrator", PARENT)
                await caller.exchange(subject, json.dumps(request).encode())
        kept = await stored(bus, "echo")
        calls = [CallSubject("echo", "say", "other", saying(*what)) for what in (("a", 1), ("b", 1), ("a", 2))]
        assert kept.keys() == {name for each in calls for name in (str(each), each.result)}
        for each in calls:
            about = correlation_of(parse(str(each), kept[str(each)].body))
            assert about == Correlation("r-run1", "step", PARENT)
        told = {each.call_id: sha256(kept[each.result].body) for each in calls}
        assert await account(bus) == Account(answers=told)


@pytest.mark.parametrize(
    ("run", "said", "trace"),
    [
        ("r-run1", f"00-{'a' * 32}-{'b' * 16}-01", trace_of_run("r-run1")),
        ("", f"00-{'a' * 32}-{'b' * 16}-01", "a" * 32),
        ("", "00-1-2-01", trace_of_call(PARENT)),
    ],
    ids=["a run's", "its caller's", "its own"],
)
async def test_a_call_goes_on_in_the_trace_of_the_one_it_is_made_for(rig: Rig, run: str, said: str, trace: str) -> None:
    """Of the run, where there is one; else of whoever called from outside, as far as that is a trace."""
    request = json.loads(call_request(PARENT, "relay", EchoParams(text="go"), Correlation(run)))
    request["params"]["_meta"]["traceparent"] = said
    async with rig.connect("echo") as echo, rig.connect("other") as other, rig.connect("orchestrator") as bus:
        await put_mandate(bus, "r-run1", MANDATE)
        async with open_caller(other) as asking, open_caller(bus) as caller:
            async with served(echo, Echo()), served(other, Relay(BusCrew(asking), "a")):
                subject = CallSubject("other", "relay", "orchestrator", PARENT)
                await caller.exchange(subject, json.dumps(request).encode())
        kept = (await stored(bus, "echo"))[str(CallSubject("echo", "say", "other", saying("a")))]
    meta = parse(kept.subject, kept.body)["params"]["_meta"]
    assert meta["traceparent"] == traceparent(trace, saying("a"))


async def test_a_call_that_is_delivered_again_says_so_and_asks_nothing_twice(rig: Rig) -> None:
    """What was asked before the server died is found; what only the first execution asked is in no account."""
    echo = Echo()
    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus, open_caller(bus) as caller:
        await put_mandate(bus, "r-run1", MANDATE)
        async with served(server, echo), anyio.create_task_group() as tasks:

            async def ask() -> None:
                params = EchoParams(text="go")
                await caller.call("other", "relay", params, EchoResult, call_id=PARENT, run="r-run1", step="step")
                tasks.cancel_scope.cancel()

            tasks.start_soon(ask)
            async with rig.connect("other") as other, open_caller(other) as asking:
                first = Relay(BusCrew(asking), "a", "left", stuck=True)
                async with served(other, first):
                    await first.asked.wait()
            async with rig.connect("other") as other, open_caller(other) as asking:
                async with served(other, Relay(BusCrew(asking), "a", "b")):
                    with anyio.fail_after(30):
                        await anyio.sleep_forever()
        assert echo.executed == [saying("a"), saying("left"), saying("b")]
        found = await account(bus)
        assert found is not None
        assert (found.attempt, list(found.answers)) == (2, [saying("a"), saying("b")])


@pytest.mark.parametrize("said", [None, {"attempt": 0}, {"answers": {"x": ""}}, []])
def test_an_answer_without_an_account_asked_for_nothing_unless_it_failed(said: object) -> None:
    """A server that is given up on, or is not let say what it has to, cannot give one."""
    done: JsonObject = {"structuredContent": {}, "_meta": {ACCOUNT_META: said}}
    assert account_of({"result": done}) == Account()
    failed = failure_result(Failure(kind="internal", message="given up"))
    assert account_of({"result": failed | {"_meta": {ACCOUNT_META: said}}}) is None


def test_who_asked_nothing_says_nothing() -> None:
    """Answers of servers that call nobody are as they were; an unguessable id stays one."""
    assert Account().meta() == {}
    assert Account(attempt=2).meta()[ACCOUNT_META] == {"attempt": 2, "answers": {}}
    assert saying("a") == nested_id(PARENT, "echo.say", EchoParams(text="a").digest(), 1)
    assert len({saying("a"), saying("a", 2), saying("b"), new_call_id()}) == 4
