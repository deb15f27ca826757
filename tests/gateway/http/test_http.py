"""The gateway over Streamable HTTP: hosts of both eras, streams that break, and what nobody is to get away with."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import anyio
import httpx2
import pytest
from mcp.client.client import ConnectMode
from mcp.server.streamable_http import EventMessage
from mcp_types import JSONRPCNotification

from bus.wire import JsonObject
from orchestrator.audit import audit
from orchestrator.gateway.http import app
from orchestrator.gateway.http.events import RecentEvents
from orchestrator.gateway.http.limits import Allowance, Rates
from tests.bus.echo import Echo
from tests.bus.rigs import MemoryRig
from tests.gateway.http.web import SAY, ask, ask_2025, asked, host, in_session, initialized, say, web
from tests.gateway.test_gateway import HOST


async def test_a_host_of_either_era_lists_calls_and_hears_progress(era: ConnectMode) -> None:
    """As over stdio."""
    heard: list[float] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        heard.append(progress)

    async with web(MemoryRig()) as url, host(url, era) as client:
        assert client.protocol_version == ("2025-11-25" if era == "legacy" else "2026-07-28")
        assert [tool.name for tool in (await client.list_tools()).tools] == ["echo__count", "echo__say", "echo__wait"]
        result = await client.call_tool("echo__count", {"text": "hi"}, progress_callback=on_progress)
    assert result.structured_content == {"text": "hi", "caller": HOST, "executions": 1}
    assert heard == [1, 2, 3]


async def test_a_call_whose_host_hangs_up_is_cancelled_at_the_server() -> None:
    """Closing the stream is how a host of 2026 gives a call up; the ledger says so."""
    rig, echo = MemoryRig(), Echo()
    async with web(rig, echo=echo) as url:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(say, url, "echo__wait")
            await echo.started.wait()
            tasks.cancel_scope.cancel()
        async with rig.connect("orchestrator") as bus:
            with anyio.fail_after(10):
                while (await audit(bus, ["echo"])).calls[0].outcome == "open":
                    await anyio.lowlevel.checkpoint()
            (record,) = (await audit(bus, ["echo"])).calls
    assert record.failure is not None
    assert "cancelled" in record.failure.message


@asynccontextmanager
async def reading(
    url: str, session: str, last: str = "", body: JsonObject | None = None
) -> AsyncGenerator[AsyncIterator[str]]:
    """The lines of a stream: of a request, or (without a body) of one that broke off after the event `last`."""
    headers = in_session(session) | ({"Last-Event-ID": last} if last else {})
    async with httpx2.AsyncClient(timeout=30) as http:
        method = "POST" if body else "GET"
        async with http.stream(method, url, json=body, headers=headers) as response:
            assert response.status_code == 200
            yield response.aiter_lines()


async def event(lines: AsyncIterator[str]) -> dict[str, str]:
    """The next one of a stream."""
    found: dict[str, str] = {}
    async for line in lines:
        if not line and found:
            return found
        field, _, value = line.partition(": ")
        found[field] = value
    raise AssertionError(f"the stream ended: {found}")


async def test_a_client_of_2025_comes_back_for_the_answer_of_a_stream_that_broke_off() -> None:
    """It names the last event it saw; the call went on meanwhile, and was made once."""
    echo = Echo()
    async with web(MemoryRig(), echo=echo) as url:
        session, _ = await initialized(url)
        call: JsonObject = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": SAY | {"name": "echo__wait"}}
        async with reading(url, session, body=call) as lines:
            first = await event(lines)
            assert first["data"] == ""
            assert int(first["retry"]) == app.RETRY_MS
            await echo.started.wait()
        echo.released.set()
        async with reading(url, session, first["id"]) as lines:
            with anyio.fail_after(10):
                while not (came := await event(lines))["data"]:
                    pass
    assert '"id":7' in came["data"]
    assert len(echo.executed) == 1


async def test_whoever_comes_back_is_sent_what_is_of_its_own_session() -> None:
    """Two sessions have requests of the same id, and events of the same name."""
    async with web(MemoryRig()) as url:
        mine, _ = await initialized(url)
        yours, _ = await initialized(url)
        answer = await ask_2025(url, yours, "tools/call", SAY | {"arguments": {"text": "yours"}})
        first = answer.text.partition("id: ")[2].split()[0]
        assert "mine" in (await ask_2025(url, mine, "tools/call", SAY | {"arguments": {"text": "mine"}})).text
        async with reading(url, yours, first) as lines:
            came = [await event(lines), await event(lines)]
    assert "yours" in came[0]["data"]
    assert came[1]["data"] == ""  # the stream is open again, and there is no more


async def test_events_are_kept_within_bounds() -> None:
    """The newest always, whatever its size; an event that is not known any more replays nothing."""
    told: list[EventMessage] = []

    async def send(message: EventMessage) -> None:
        told.append(message)

    events = RecentEvents(keep_bytes=1000)
    first = await events.store_event("1", None)
    big = JSONRPCNotification(jsonrpc="2.0", method="m", params={"text": "x" * 300})
    last = [await events.store_event("1", big) for _ in range(9)][-1]
    assert await events.replay_events_after(first, send) is None
    assert told == []
    assert await events.replay_events_after(str(int(last) - 1), send) == "1"
    assert [one.event_id for one in told] == [last]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example:8765"}, 421),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Host": "localhost.evil.example:80"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1.evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "localhost:1234"}, 200),
        ({"Host": "podium.internal"}, 200),
        ({"Origin": "http://localhost:3000"}, 200),
    ],
)
async def test_a_page_elsewhere_does_not_reach_it_through_a_browser(headers: dict[str, str], status: int) -> None:
    """Neither by a name of its own that leads here (DNS rebinding), nor openly."""
    async with web(MemoryRig(), hosts=["podium.internal"]) as url:
        assert (await ask(url, "tools/list", headers=headers)).status_code == status
        body: JsonObject = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}
        async with httpx2.AsyncClient() as http:
            older = await http.post(url, json=body, headers=in_session("") | headers)
        assert (older.status_code == status) or status == 200


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
async def test_a_body_that_is_too_large_gets_413(declared: bool, era: str) -> None:
    """Whether it says how large it is or not."""

    async def content() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * (1 << 20)

    size = {"Content-Length": str(5 << 20)} if declared else {}
    async with web(MemoryRig()) as url, httpx2.AsyncClient(timeout=30) as http:
        headers = {"Content-Type": "application/json", "MCP-Protocol-Version": era, **size}
        response = await http.post(url, content=content(), headers=headers)
    assert response.status_code == 413


async def test_a_flood_gets_429_and_is_told_when_to_come_again() -> None:
    """And nothing of it reaches the crew."""
    rig = MemoryRig()
    async with web(rig, allowance=Allowance(per_s=0.5, burst=5)) as url:
        answers = [await say(url) for _ in range(8)]
        async with rig.connect("orchestrator") as bus:
            made = len((await audit(bus, ["echo"])).calls)
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 3
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 2
    assert made == 5


def test_a_bucket_fills_up_again() -> None:
    """With time, and never beyond the burst; whoever else comes has one of their own."""
    now = 0.0
    rates = Rates(Allowance(per_s=2, burst=3), lambda: now)
    assert [rates.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert rates.take("b") == 0
    now = 0.5
    assert [rates.take("a") for _ in range(2)] == [0, 0.5]
    now = 1000
    assert [rates.take("a") for _ in range(4)] == [0, 0, 0, 0.5]


async def test_one_caller_has_so_many_requests_under_way() -> None:
    """One more gets 503, until one has ended."""
    echo = Echo()
    async with web(MemoryRig(), echo=echo, allowance=Allowance(at_once=1)) as url:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(say, url, "echo__wait")
            await echo.started.wait()
            busy = await say(url)
            assert (busy.status_code, busy.headers["retry-after"]) == (503, "1")
            echo.released.set()
        assert (await say(url)).status_code == 200


async def test_there_are_so_many_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more gets 503, until one has ended."""
    monkeypatch.setattr(app, "SESSIONS", 1)
    async with web(MemoryRig()) as url, httpx2.AsyncClient(timeout=30) as http:
        session, _ = await initialized(url)
        assert (await initialized(url))[1].status_code == 503
        assert (await http.delete(url, headers=in_session(session))).status_code == 200
        assert (await initialized(url))[1].status_code == 200


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"x"', '{"jsonrpc":"2.0"}', "[" * 100_000, "\ud800"])
@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
async def test_nonsense_is_refused_as_such(body: str, era: str) -> None:
    """With 4xx, never with 500; the next request is answered as always."""
    _, headers = asked("tools/list")
    async with web(MemoryRig()) as url, httpx2.AsyncClient(timeout=30) as http:
        headers |= {"MCP-Protocol-Version": era, "Content-Type": "application/json"}
        response = await http.post(url, content=body.encode("utf-8", "surrogatepass"), headers=headers)
        assert 400 <= response.status_code < 500
        assert (await say(url)).status_code == 200
