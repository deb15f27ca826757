"""How a specialist's tools are answered: what a call came to, as the SDK's result and as bytes.

`DirectAnswer` builds the very response the SDK would (a test compares them) without its layers, which are most
of a call's time; whatever is not a plain call of a known tool it leaves to the SDK.
"""

from __future__ import annotations

import itertools
import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import mcp_types as types
from pydantic import ValidationError

from bus.lives import FIRST, Life
from bus.nested import Account, nested_id
from bus.serving import Answer, Incoming
from bus.wire import PROTOCOL_VERSION, JsonObject, as_object, called_tool, failure_apart
from contracts.base import Model, sha256
from contracts.failure import Failure
from contracts.manifest import Manifest
from contracts.trace import trace_of_call
from servers.deadline import Clock, missed
from servers.sandbox.job import SandboxUnavailable
from servers.specialist import Tool, ToolError

log = logging.getLogger(__name__)

_TEXT_BYTES = 16 << 10
"""Structured results up to this size are repeated as text, for hosts that read text only."""

_PLAIN_PARAMS = {"name", "arguments", "_meta"}


@dataclass
class BusCall:
    """The `Call` a handler sees."""

    id: str
    caller: str
    run: str
    step: str
    trace: str
    """The trace that it is part of."""
    _report: Callable[[float, float | None, str], Awaitable[None]]
    life: Life = FIRST
    clock: Clock = field(default_factory=Clock)
    _answers: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of(cls, incoming: Incoming) -> BusCall:
        """The call as the broker and the signature vouch for it."""
        meta = as_object(as_object(incoming.message.get("params")).get("_meta"))
        about, token, notify = incoming.about, meta.get("progressToken"), incoming.notify

        async def report(done: float, total: float | None, message: str) -> None:
            if token is not None and notify is not None:
                told: JsonObject = {"progressToken": token, "progress": done, "total": total, "message": message}
                await notify("notifications/progress", {key: value for key, value in told.items() if value is not None})

        trace = about.trace_of(incoming.call_id)
        return cls(incoming.call_id, incoming.caller, about.run, about.step, trace, report, incoming.life)

    @classmethod
    def local(cls, report: Callable[[float, float | None, str], Awaitable[None]]) -> BusCall:
        """A call that did not come over the bus: nobody vouches for its caller, and its id is made up."""
        call_id = secrets.token_hex(16)
        return cls(call_id, "host", "", "", trace_of_call(call_id), report)

    async def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """See `Call.progress`."""
        await self._report(done, total, message)

    def asks(self, tool: str, params: Model) -> str:
        """The id of one more call made on behalf of this one; see `bus.nested`."""
        digest = params.digest()
        ids = (nested_id(self.id, tool, digest, nth) for nth in itertools.count(1))
        fresh = next(each for each in ids if each not in self._answers)
        self._answers[fresh] = ""
        return fresh

    def was_told(self, nested: str, answer: bytes) -> None:
        """Note what the call with the id `nested` was answered."""
        self._answers[nested] = sha256(answer)

    @property
    def account(self) -> Account:
        """What was asked on behalf of this call up to now."""
        return Account(attempt=self.life.number, answers=dict(self._answers))


@dataclass(frozen=True)
class Outcome:
    """What a tool call came to: a JSON document, the text for hosts that read text only, and whether it failed."""

    structured: str
    text: str
    failed: bool = False

    @classmethod
    def of_failure(cls, failure: Failure) -> Outcome:
        """The call failed, and how."""
        said = {name: encodable(getattr(failure, name)) for name in ("message", "way_out")}
        failure = failure.model_copy(update=said)
        return cls(f'{{"failure":{failure.model_dump_json()}}}', str(failure), failed=True)

    @classmethod
    def of_result(cls, result: Model) -> Outcome:
        """The call gave a result."""
        dumped = result.model_dump_json()
        return cls(dumped, dumped if len(dumped) <= _TEXT_BYTES else f"{len(dumped)} bytes; see the structured content")

    def sdk_result(self, account: Account) -> types.CallToolResult:
        """As the SDK's handlers return it."""
        return types.CallToolResult.model_validate({**self._result(), "_meta": account.meta() or None})

    def host_result(self) -> types.CallToolResult:
        """The same for a host that asks by itself."""
        return types.CallToolResult.model_validate(failure_apart(self._result()))

    def _result(self) -> JsonObject:
        content = [{"type": "text", "text": self.text}]
        return {"isError": self.failed, "content": content, "structuredContent": json.loads(self.structured)}


def encodable(text: str) -> str:
    """`text` with a `?` for each half of a surrogate pair, which JSON in UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode()


async def perform(chosen: Tool, arguments: JsonObject, call: BusCall) -> Outcome:
    """Run one tool, up to its deadline; whatever goes wrong becomes a structured failure."""
    try:
        params = chosen.params.model_validate(arguments)
        deadline_s = chosen.deadline_s(params)
        with call.clock.limit(chosen.spec.name, deadline_s):
            return Outcome.of_result(await chosen.handler(params, call))
        log.error("%s was not done within %g s", chosen.spec.name, deadline_s)
        return Outcome.of_failure(missed(chosen.spec, deadline_s))
    except ValidationError as wrong:
        problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in wrong.errors()[:5])
        return Outcome.of_failure(Failure(kind="invalid", message=f"{chosen.spec.name}: {problems}"))
    except ToolError as wrong:
        return Outcome.of_failure(wrong.failure)
    except SandboxUnavailable as wrong:
        return Outcome.of_failure(Failure(kind="unavailable", message=str(wrong), way_out="Run `podium doctor`."))
    except Exception as wrong:
        log.exception("%s failed in a way it should not", chosen.spec.name)
        return Outcome.of_failure(Failure(kind="internal", message=f"a defect in {chosen.spec.name}: {wrong!r}"))


class DirectAnswer:
    """Answers plain calls of known tools; everything else is the SDK's."""

    def __init__(self, tools: Mapping[str, Tool], manifest: Manifest, sdk: Answer) -> None:
        self._tools = tools
        self._sdk = sdk
        info = {"name": manifest.name, "title": manifest.title, "version": manifest.version}
        about = {key: value for key, value in (info | {"description": manifest.description}).items() if value}
        self._stamp: JsonObject = {"io.modelcontextprotocol/serverInfo": about}

    async def __call__(self, incoming: Incoming) -> bytes:
        """See `bus.serving.Answer`."""
        chosen = self._tools.get(called_tool(incoming.message) or "")
        request_id, params = incoming.message.get("id"), as_object(incoming.message.get("params"))
        arguments = params.get("arguments", {})
        if chosen is None or not isinstance(request_id, str | int) or not _plain(params):
            return await self._sdk(incoming)
        call = BusCall.of(incoming)
        outcome = await perform(chosen, arguments, call)
        head = f'{{"jsonrpc":"2.0","id":{json.dumps(request_id)},"result":{{"content":[{{"type":"text","text":'
        failed = "true" if outcome.failed else "false"
        told = f'{json.dumps(outcome.text)}}}],"structuredContent":{outcome.structured},"isError":{failed}'
        meta = json.dumps(self._stamp | call.account.meta())
        return f'{head}{told},"resultType":"complete","_meta":{meta}}}}}'.encode()


def _plain(params: JsonObject) -> bool:
    """Whether a request's parameters are complete, of this revision, and nothing but a call's."""
    meta = as_object(params.get("_meta"))
    return (
        params.keys() <= _PLAIN_PARAMS
        and meta.get("io.modelcontextprotocol/protocolVersion") == PROTOCOL_VERSION
        and isinstance(meta.get("io.modelcontextprotocol/clientCapabilities"), dict)
        and isinstance(params.get("arguments", {}), dict)
    )
