"""A token sees and calls what its scopes cover; what else is tried gets 403 and stands in the ledger as denied."""

from __future__ import annotations

from typing import Any

import pytest
from mcp.client.client import ConnectMode
from mcp.server.auth.provider import AccessToken
from mcp.shared.exceptions import MCPError

from bus.wire import JsonObject
from contracts.ledger import CallRecord
from orchestrator.audit import audit
from orchestrator.gateway.reach import CALL, READ, Reach, needed
from tests.bus.echo import Echo
from tests.bus.rigs import MemoryRig, Rig
from tests.conformance.server.build import conformance_server
from tests.gateway.http.issuer import SPELT
from tests.gateway.http.web import SAY, ask, ask_2025, host, initialized, say, web
from tests.gateway.test_gateway import HOST

ALL = ["echo__count", "echo__say", "echo__wait"]


async def calls(rig: Rig) -> list[CallRecord]:
    """What stands in the ledger."""
    async with rig.connect("orchestrator") as bus:
        return list((await audit(bus, ["echo"])).calls)


@pytest.mark.parametrize(
    ("scopes", "seen"),
    [
        ("podium:call", ALL),
        ("podium:call:echo", ALL),
        ("podium:read", ["echo__say"]),
        ("podium:read+podium:call:other", ["echo__say"]),
        ("podium:call:other", []),
        ("podium:call:echo+openid", ALL),
    ],
)
async def test_a_token_sees_what_its_scopes_cover(era: ConnectMode, scopes: str, seen: list[str]) -> None:
    """Read-only tools, all of one server's, or all that the host was granted."""
    async with web(MemoryRig(), SPELT) as url, host(url, era, f"ada/{scopes}") as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == seen


@pytest.mark.parametrize("scopes", ["podium:read", "podium:call:other", "podium:call:ech", "podium:call:"])
@pytest.mark.parametrize("tool", ["echo__count", "echo__nothing", "echo__crash"])
async def test_a_call_that_is_not_covered_gets_403_with_the_scope_it_needs(scopes: str, tool: str) -> None:
    """Whether such a tool is there or not; it is not made, and the attempt is on the record with for whom it was."""
    rig, echo = MemoryRig(), Echo()
    async with web(rig, SPELT, echo=echo) as url:
        response = await say(url, tool, token=f"ada/{scopes}")
        (record,) = await calls(rig)
    assert response.status_code == 403
    challenge = response.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in challenge
    wanted = challenge.partition('scope="')[2].partition('"')[0].split(" ")
    assert wanted[-1] == "podium:call:echo"
    assert set(wanted[:-1]) == {scope for scope in scopes.split("+") if scope != "podium:call:"}
    assert (record.caller, record.subject, record.outcome) == (HOST, "ada", "denied")
    assert record.tool == tool.removeprefix("echo__")
    assert echo.executed == []


async def test_a_read_only_call_is_covered_by_podium_read(era: ConnectMode) -> None:
    """And is made."""
    async with web(MemoryRig(), SPELT) as url, host(url, era, "ada/podium:read") as client:
        assert not (await client.call_tool("echo__say", {"text": "hi"})).is_error


async def test_a_token_without_a_scope_of_podiums_covers_nothing() -> None:
    """Whatever is asked: 403, and the least there is to ask for."""
    async with web(MemoryRig(), SPELT) as url:
        for method in ("tools/list", "server/discover", "subscriptions/listen"):
            response = await ask(url, method, token="ada/openid")
            assert response.status_code == 403
            assert 'scope="podium:read"' in response.headers["www-authenticate"]


class Lenient:
    """Finds nothing lacking."""

    async def lacking(self, reach: Reach, method: str, params: JsonObject) -> str:
        return ""

    async def refuse(self, params: JsonObject, token: AccessToken) -> None:
        raise AssertionError("there was nothing to refuse")


async def test_what_is_not_covered_is_refused_whatever_the_check_before_it_understood(era: ConnectMode) -> None:
    """The handler enforces scopes; 403 is only how clients are told early."""
    rig, echo = MemoryRig(), Echo()
    async with web(rig, SPELT, echo=echo, offer=Lenient()) as url:
        async with host(url, era, "ada/podium:read") as client:
            result = await client.call_tool("echo__count", {"text": "x"})
        (record,) = await calls(rig)
    assert result.is_error
    assert result.meta is not None
    assert result.meta["io.podium/failure"]["kind"] == "denied"
    assert (record.subject, record.tool, record.outcome) == ("ada", "count", "denied")
    assert echo.executed == []


@pytest.mark.parametrize(("token", "subject"), [("ada/podium:call", "ada"), ("", "")])
async def test_for_whom_a_call_is_made_stands_in_the_ledger_and_cannot_be_forged(
    era: ConnectMode, token: str, subject: str
) -> None:
    """It is the subject of the token, if there is one; what a client writes there itself is dropped."""
    rig = MemoryRig()
    forged: Any = {"io.podium/subject": "root", "io.podium/run": "r-aaaa", "io.podium/parent": "x"}
    async with web(rig, SPELT if token else None) as url, host(url, era, token) as client:
        await client.call_tool("echo__say", {"text": "hi"}, meta=forged)
        (record,) = await calls(rig)
    assert (record.caller, record.subject, record.run, record.parent) == (HOST, subject, "", "")


async def test_a_session_is_its_owners() -> None:
    """Who comes with another token finds no such session; one whose token lost a scope goes on with less."""
    async with web(MemoryRig(), SPELT) as url:
        session, opened = await initialized(url, token="ada/podium:call")
        assert opened.status_code == 200
        stolen = await ask_2025(url, session, "tools/list", token="eve/podium:call")
        assert stolen.status_code == 404
        less = await ask_2025(url, session, "tools/call", SAY | {"name": "echo__count"}, token="ada/podium:read")
        assert less.status_code == 403


async def test_a_member_as_it_is_shows_and_does_what_scopes_cover(era: ConnectMode) -> None:
    """Nobody keeps such a list for somebody else, whatever the member says of its own."""
    async with web(MemoryRig(), SPELT, member=conformance_server(), as_is=True) as url:
        async with host(url, era, "ada/podium:call:echo") as client:
            everything = await client.list_tools()
            assert not (await client.call_tool("test_simple_text", {})).is_error
        async with host(url, era, "ada/podium:read") as client:
            part = await client.list_tools()
            assert (await client.read_resource("test://static-text")).contents
            with pytest.raises(MCPError):
                await client.call_tool("test_simple_text", {})
        refused = await ask(url, "resources/read", {"uri": "test://static-text"}, token="ada/podium:call:other")
    assert refused.status_code == 403
    assert len(everything.tools) > 10
    assert part.tools == []
    if era != "legacy":
        assert (everything.cache_scope, part.cache_scope) == ("private", "private")


def test_what_scopes_cover() -> None:
    """The rules, in one place."""
    assert Reach().covers("x", read_only=False)
    assert Reach.of([]).nothing
    assert not Reach.of(["podium:call:"]).covers("", read_only=True)
    assert Reach.of([READ, "podium:call:x"]).scopes() == (READ, "podium:call:x")
    assert needed("x", read_only=True) == READ
    assert needed("x", read_only=False) == "podium:call:x"
    assert Reach.of([CALL]).covers("y", read_only=False)
