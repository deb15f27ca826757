"""The gateway alone: a bus that permits everything, servers that take every call, tokens and hosts that hold less."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from unittest import mock

from mcp import Client

from bus.bus import Bus
from bus.caller import Caller, open_caller
from bus.grants import host_identity
from bus.memory import MemoryBroker
from contracts.ledger import GRANTS_BUCKET
from contracts.terms import Terms
from orchestrator.gateway import listing
from orchestrator.gateway.gateway import Gateway
from orchestrator.gateway.http.app import PATH, application
from orchestrator.gateway.http.resource import Authorization
from orchestrator.gateway.http.serving import listening, served
from orchestrator.gateway.offer import exposed
from orchestrator.gateway.reach import CALL, READ
from orchestrator.gateway.upstream import Upstream
from scripts.scopes_page import TokenRight
from servers.crew_member import load_own
from servers.enforced import HOST, Right
from servers.specialist import tool_names
from tests.enforcers.seen import WAYS, Seen, Way
from tests.enforcers.stand_ins import Reached, standing_in
from tests.gateway.http.issuer import SPELT
from tests.gateway.http.web import ask

IDENTITY = host_identity(HOST)


async def tokens_tried(every: Sequence[TokenRight]) -> dict[TokenRight, Seen]:
    """Each right of a token: with it alone, with all others, and where nobody asks for a token."""
    servers = sorted({right.server for right in every})
    broker = MemoryBroker()
    _grant(broker, [f"{server}.*" for server in servers])
    bus = broker.connect(IDENTITY)
    async with (
        standing_in(broker, servers, IDENTITY) as reached,
        open_caller(bus) as caller,
        _web(bus, caller, SPELT) as guarded,
        _web(bus, caller, None) as free,
    ):
        found: dict[TokenRight, Seen] = {}
        for right in every:
            tokens: dict[Way, str] = {"granted": right.scope, "withheld": _others(right, servers), "removed": ""}
            through: dict[Way, Sequence[bool]] = {}
            for way, scopes in tokens.items():
                url, token = (guarded, f"ada/{scopes}") if scopes else (free, "")
                through[way] = [await _called(url, token, right.server, tool, reached) for tool in right.tools]
            found[right] = Seen.of(through)
        return found


def _others(right: TokenRight, servers: Sequence[str]) -> str:
    """All scopes but those that open what `right` does."""
    beside = [f"{CALL}:{server}" for server in servers if server != right.server]
    return "+".join(beside if right.scope == READ else [READ, *beside])


@asynccontextmanager
async def _web(bus: Bus, caller: Caller, authorization: Authorization | None) -> AsyncGenerator[str]:
    gateway = Gateway(bus, Upstream(bus, caller), Terms())
    app = application(gateway.server("podium", "1"), gateway, authorization=authorization)
    on = listening("127.0.0.1", 0)
    async with served(app, on):
        yield f"http://127.0.0.1:{on.getsockname()[1]}{PATH}"


async def _called(url: str, token: str, server: str, tool: str, reached: Reached) -> bool:
    await ask(url, "tools/call", {"name": exposed(server, tool), "arguments": {}}, token=token)
    return reached.take(server, tool)


async def hosts_tried(every: Sequence[Right]) -> dict[Right, Seen]:
    """Each right of a host: by what the operator published of its grant, and by a gateway that thinks it holds all."""
    broker = MemoryBroker()
    bus = broker.connect(IDENTITY)
    calls = [right.scope for right in every]

    async def all_calls(bus: Bus, caller: str) -> frozenset[str]:
        return frozenset(calls)

    async with (
        standing_in(broker, sorted(call.partition(".")[0] for call in calls), IDENTITY) as reached,
        open_caller(bus) as caller,
    ):

        async def through(right: Right, way: Way) -> list[bool]:
            crew = right.granted if way == "granted" else right.withheld
            _grant(broker, right.grant(crew).calls)
            server = right.scope.partition(".")[0]
            gateway = Gateway(bus, Upstream(bus, caller), Terms())
            async with Client(gateway.server("podium", "1"), cache=None) as client:
                tool = min(tool_names(load_own(server)))
                if way == "removed":
                    with mock.patch.object(listing, "grants_of", all_calls):
                        await client.call_tool(exposed(server, tool), {})
                else:
                    await client.call_tool(exposed(server, tool), {})
            return [reached.take(server, tool)]

        return {right: Seen.of({way: await through(right, way) for way in WAYS}) for right in every}


def _grant(broker: MemoryBroker, calls: Sequence[str]) -> None:
    broker.set(GRANTS_BUCKET, IDENTITY, json.dumps(calls).encode())
