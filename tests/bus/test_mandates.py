"""A run's mandate: whoever calls on its behalf holds what it was given for that run, and no more."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest

from bus.bus import Bus
from bus.caller import Caller, new_call_id, open_caller
from bus.granted import LiveGrants
from bus.mandates import mandate_of, put_mandate, withdraw_mandate
from bus.subjects import CallSubject
from bus.wire import Correlation, call_request, failure_of, parse
from contracts.failure import Failure
from contracts.ledger import MANDATES_BUCKET, server_stream
from contracts.mandate import Mandate
from tests.bus.echo import Echo, EchoParams, served
from tests.bus.rigs import MemoryRig, Rig

RUN, ANOTHER = "r-mine", "r-another"
EMPLOYED = Mandate(calls={"other": ("echo.say",)})


@dataclass(frozen=True)
class Site:
    """`echo`, and the orchestrator that decides what may be called for a run."""

    orchestrator: Bus
    callers: Mapping[str, Caller]

    async def refused(
        self, caller: str, tool: str = "say", *, run: str = "", named: object = None
    ) -> tuple[Failure | None, Failure | None]:
        """How a call for `run`, of which the arguments name another, ends; and what the ledger has of it."""
        request = json.loads(call_request(new_call_id(), tool, EchoParams(text="x"), Correlation(run)))
        if named is not None:
            request["params"]["arguments"]["run"] = named
        subject = CallSubject("echo", tool, caller, request["id"])
        answer = await self.callers[caller].exchange(subject, json.dumps(request).encode())
        kept = await self.orchestrator.last(server_stream("echo"), subject.result)
        assert kept is not None
        return _denial(parse("answer", answer)), _denial(parse("kept", kept.body))

    async def allowed(self, caller: str, tool: str = "say", *, run: str = "", named: object = None) -> bool:
        """Whether such a call reaches the tool; a refusal is on the ledger as one."""
        answer, kept = await self.refused(caller, tool, run=run, named=named)
        assert answer == kept
        return answer is None


def _denial(message: dict[str, object]) -> Failure | None:
    failure = failure_of(message)
    return failure if failure is not None and failure.kind == "denied" else None


@pytest.fixture
async def site(rig: Rig) -> AsyncGenerator[Site]:
    async with _site(rig) as made:
        yield made


@asynccontextmanager
async def _site(rig: Rig) -> AsyncGenerator[Site]:
    async with AsyncExitStack() as opened:
        names = ("orchestrator", "other", "meddler", "host_desk")
        buses = {name: await opened.enter_async_context(rig.connect(name)) for name in names}
        callers = {name: await opened.enter_async_context(open_caller(bus)) for name, bus in buses.items()}
        server = await opened.enter_async_context(rig.connect("echo"))
        await opened.enter_async_context(served(server, Echo(), LiveGrants(server).allows))
        yield Site(buses["orchestrator"], callers)


async def test_a_member_acts_for_a_run_that_employs_it_while_it_is_under_way(site: Site) -> None:
    """Not before, and not once it has ended; what it does outside runs is its grant's to say."""
    assert not await site.allowed("other", run=RUN)
    await put_mandate(site.orchestrator, RUN, EMPLOYED)
    assert await site.allowed("other", run=RUN)
    await withdraw_mandate(site.orchestrator, RUN)
    assert await mandate_of(site.orchestrator, RUN) is None
    assert not await site.allowed("meddler", run=RUN)
    assert await site.allowed("other")


async def test_who_is_not_employed_by_a_run_cannot_act_for_it_whatever_it_was_granted(site: Site) -> None:
    """Nor can a host, which has runs conducted and is part of none."""
    await put_mandate(site.orchestrator, RUN, EMPLOYED)
    assert await site.allowed("meddler")
    failure, kept = await site.refused("meddler", run=RUN)
    assert failure == kept
    assert failure is not None
    assert "meddler was not given echo.say for r-mine" in failure.message
    assert failure.way_out
    assert not await site.allowed("host_desk", run=RUN)


async def test_a_run_gives_its_members_less_than_they_were_granted(site: Site) -> None:
    """By tool; a mandate for all of a server's tools is one for each."""
    await put_mandate(site.orchestrator, RUN, Mandate(calls={"meddler": ("echo.say",)}))
    assert await site.allowed("meddler", "count")
    assert await site.allowed("meddler", run=RUN)
    assert not await site.allowed("meddler", "count", run=RUN)
    await put_mandate(site.orchestrator, RUN, Mandate(calls={"meddler": ("echo.*",)}))
    assert await site.allowed("meddler", "count", run=RUN)


async def test_a_mandate_does_not_widen_a_grant() -> None:
    """Both have to hold."""
    async with _site(MemoryRig()) as site:  # where no broker refuses it first
        await put_mandate(site.orchestrator, RUN, Mandate(calls={"other": ("echo.*",)}))
        assert await site.allowed("other", run=RUN)
        failure, _ = await site.refused("other", "count", run=RUN)
    assert failure is not None
    assert "other was not granted echo.count" in failure.message


async def test_a_member_acts_on_no_run_under_way_that_it_does_not_call_for(site: Site) -> None:
    """Its arguments name one: that is the run it calls for, or the call is refused, whether it says so or not."""
    await put_mandate(site.orchestrator, RUN, EMPLOYED)
    assert await site.allowed("other", named=ANOTHER), "it has not begun"
    await put_mandate(site.orchestrator, ANOTHER, Mandate(calls={}))
    assert await site.allowed("other", named=RUN)
    assert await site.allowed("other", run=RUN, named=RUN)
    assert not await site.allowed("other", named=ANOTHER)
    assert not await site.allowed("other", run=RUN, named=ANOTHER)
    await put_mandate(site.orchestrator, ANOTHER, EMPLOYED)
    failure, _ = await site.refused("other", run=RUN, named=ANOTHER)
    assert failure is not None
    assert "for r-mine, and would have it act on r-another" in failure.message


async def test_what_is_called_run_and_is_none_under_way_is_the_tools_own_word(site: Site) -> None:
    """A folder that a host works in, a command to run: tools mean what they mean by it."""
    await put_mandate(site.orchestrator, RUN, EMPLOYED)
    await put_mandate(site.orchestrator, ANOTHER, EMPLOYED)
    for named in ("r-ended", "fast", "a.*", "x" * 100_000, "", 7, [ANOTHER]):
        assert await site.allowed("other", run=RUN, named=named)
        assert await site.allowed("other", named=named)


async def test_a_host_looks_at_a_run_under_way_as_its_grant_says(site: Site) -> None:
    """It is shown what a specialist reads there; it does not act for the run."""
    await put_mandate(site.orchestrator, RUN, EMPLOYED)
    assert await site.allowed("host_desk", named=RUN)


async def test_the_orchestrator_needs_no_mandate(site: Site) -> None:
    """It decides runs, and what of them is under way."""
    assert await site.allowed("orchestrator", run=RUN, named=ANOTHER)


async def test_what_is_no_mandate_gives_nobody_anything(site: Site) -> None:
    """Whatever stands where one should; the run counts as under way, so that its folder is not anybody's either."""
    for body in (b"{", b'{"stream":"LEDGER_echo","seq":1}', b'{"calls":{"other":"echo.say"}}'):
        await site.orchestrator.put(MANDATES_BUCKET, RUN, body)
        assert await mandate_of(site.orchestrator, RUN) == Mandate(calls={})
        assert not await site.allowed("other", run=RUN)
        assert not await site.allowed("other", named=RUN)


async def test_a_name_that_no_run_can_have_is_of_none_under_way(site: Site) -> None:
    """It is not even looked for, so that nobody asks for all of them at once."""
    await put_mandate(site.orchestrator, RUN, EMPLOYED)
    for run in ("*", ">", "r-*", "r-mine.x", "R-MINE", "r-" + "x" * 64):
        assert await mandate_of(site.orchestrator, run) is None
        assert not await site.allowed("other", run=run)
