"""A Messages endpoint over real HTTP whose answers are scripted, misbehaviour included; see `tests.model.script`.

In a test: `async with messages_server([...]) as server:`. As a process of its own, it prints its address, then a line
for each question as it comes, until it is ended; `GET /_requests` tells what it was asked::

    python -m tests.model.messages_server --port 0 --script FILE
"""

from __future__ import annotations

import argparse
import json
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import anyio
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.tls import TLSListener

from tests.model.script import Asked, Events, Script, Step, script_of

MAX_BODY = 64 << 20


@dataclass
class MessagesServer:
    """A running server, and what it was asked."""

    script: Script
    url: str = ""
    requests: list[Asked] = field(default_factory=list[Asked])
    on_asked: Callable[[Asked], None] = lambda asked: None

    async def handle(self, stream: ByteStream) -> None:
        """One connection: one request, one answer."""
        async with stream:
            with suppress(
                anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, anyio.IncompleteRead
            ):
                await self._answer(stream)  # until it is said, or who asked went away

    async def _answer(self, stream: ByteStream) -> None:
        incoming = BufferedByteReceiveStream(stream)
        head = (await incoming.receive_until(b"\r\n\r\n", 65536)).decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        body = await incoming.receive_exactly(min(int(headers.get("content-length", "0")), MAX_BODY))
        if head[0].startswith("GET /_requests"):
            await self._say(stream, 200, json.dumps([asked.told() for asked in self.requests]))
            return
        if not head[0].startswith("POST /v1/messages "):
            await self._say(stream, 404, _error("not_found_error", f"there is no {head[0]}"))
            return
        asked = Asked(json.loads(body), headers)
        self.requests.append(asked)
        self.on_asked(asked)
        step = self.script(asked)
        if step.status != 200:
            said = step.error.replace("{key}", asked.key)
            await self._say(stream, step.status, _error(_kind(step.status), said), step.headers)
        else:
            await self._stream(stream, step, asked)

    async def _say(self, stream: ByteStream, status: int, body: str, headers: dict[str, str] | None = None) -> None:
        lines = [f"HTTP/1.1 {status} x", "content-type: application/json", f"content-length: {len(body.encode())}"]
        lines += ["connection: close", *(f"{name}: {value}" for name, value in (headers or {}).items())]
        await stream.send(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    async def _stream(self, stream: ByteStream, step: Step, asked: Asked) -> None:
        head = ["HTTP/1.1 200 OK", "content-type: text/event-stream", "transfer-encoding: chunked", "connection: close"]
        head += [f"{name}: {value}" for name, value in step.headers.items()]
        await stream.send(("\r\n".join(head) + "\r\n\r\n").encode())
        events = [step.raw.encode()] if step.raw is not None else Events(step, asked).all()
        for number, event in enumerate(events):
            if number == step.break_after:
                return
            if number == step.hang_after:
                await stream.receive()  # until the client has gone
                return
            if number == step.fail_after:
                said = _error("overloaded_error", step.error.replace("{key}", asked.key))
                event = f"event: error\ndata: {said}\n\n".encode()
            await anyio.sleep(step.drip_s)
            await stream.send(f"{len(event):x}\r\n".encode() + event + b"\r\n")
            if number == step.fail_after:
                break
        await stream.send(b"0\r\n\r\n")


def _error(kind: str, message: str) -> str:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}})


def _kind(status: int) -> str:
    known = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error"}
    known |= {404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error"}
    return known.get(status, "api_error")


@asynccontextmanager
async def messages_server(
    script: object, port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[MessagesServer]:
    """A server on the loopback; `script` is a `Script`, or the JSON of one, decoded."""
    server = MessagesServer(cast("Script", script) if callable(script) else script_of(script))
    plain = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
    server.url = f"http{'s' if tls else ''}://127.0.0.1:{plain.extra(SocketAttribute.local_port)}"
    listener = plain if tls is None else TLSListener(plain, tls, standard_compatible=False)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, server.handle)
        try:
            yield server
        finally:
            tasks.cancel_scope.cancel()


async def _serve(script: Path, port: int) -> None:
    async with messages_server(json.loads(script.read_text(encoding="utf-8")), port) as server:
        print(server.url, flush=True)  # noqa: T201 - whoever started it reads this line …
        server.on_asked = lambda asked: print(asked.name, flush=True)  # noqa: T201 - … and these
        await anyio.sleep_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A scripted Messages endpoint.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--script", type=Path, required=True)
    given = parser.parse_args()
    anyio.run(_serve, given.script, given.port)
