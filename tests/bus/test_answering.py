"""The direct answer is the SDK's answer, without its layers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bus.mcp_sdk import SdkAnswer
from bus.serving import Incoming
from bus.wire import Correlation, JsonObject, call_request
from servers.answering import DirectAnswer
from servers.runtime import mcp_server
from servers.specialist import tools_of
from tests.bus.echo import Echo, EchoParams


class Notes:
    """Remembers the notifications of a call."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, JsonObject]] = []

    async def notify(self, method: str, params: JsonObject) -> None:
        self.sent.append((method, params))


class Counting:
    """An SDK answer that counts how often it is asked."""

    def __init__(self, echo: Echo) -> None:
        self.asked = 0
        self._sdk = SdkAnswer(mcp_server(echo), {})

    async def __call__(self, incoming: Incoming) -> bytes:
        self.asked += 1
        return await self._sdk(incoming)


async def both(message: JsonObject) -> tuple[Any, Any, int]:
    """(direct answer, SDK's answer, how often the direct one asked the SDK); each from a fresh specialist."""
    heard: list[Notes] = [Notes(), Notes()]
    echo = Echo()
    sdk = Counting(echo)
    tools = {one.spec.name: one for one in tools_of(echo)}
    direct = await DirectAnswer(tools, echo.manifest, sdk)(Incoming(message, "me", "0" * 32, heard[0].notify))
    other = await Counting(Echo())(Incoming(message, "me", "0" * 32, heard[1].notify))
    assert heard[0].sent == heard[1].sent
    return json.loads(direct), json.loads(other), sdk.asked


@pytest.mark.parametrize("tool", ["say", "count", "refuse", "crash"])
@pytest.mark.parametrize("text", ["plain", 'quoted "\\ \n\u2028 ⚑', "x" * 40_000])
async def test_a_plain_call_gets_the_same_response_without_the_sdk(tool: str, text: str) -> None:
    """Results, failures, defects, long texts, progress: the same JSON value, and the SDK was not asked."""
    message = json.loads(call_request("0" * 32, tool, EchoParams(text=text), Correlation()))
    direct, sdk, asked = await both(message)
    assert direct == sdk
    assert asked == 0


@pytest.mark.parametrize("arguments", [{}, {"text": 1}, {"txt": "x"}, {"text": "x", "more": 1}])
async def test_arguments_that_break_the_contract_fail_the_same_way(arguments: JsonObject) -> None:
    """Validation messages are the same on both ways."""
    message = json.loads(call_request("0" * 32, "say", EchoParams(text="x"), Correlation()))
    message["params"]["arguments"] = arguments
    direct, sdk, asked = await both(message)
    assert direct == sdk
    assert direct["result"]["isError"]
    assert asked == 0


@pytest.mark.parametrize(
    "change",
    [
        {"name": "nothing"},
        {"_meta": {}},
        {"_meta": {"io.modelcontextprotocol/protocolVersion": "1999-01-01"}},
        {"arguments": []},
        {"inputResponses": {}},
    ],
)
async def test_whatever_is_not_a_plain_call_is_left_to_the_sdk(change: JsonObject) -> None:
    """Unknown tools, other revisions, malformed parameters: one place decides."""
    message = json.loads(call_request("0" * 32, "say", EchoParams(text="x"), Correlation()))
    message["params"] |= change
    direct, sdk, asked = await both(message)
    assert direct == sdk
    assert asked == 1
