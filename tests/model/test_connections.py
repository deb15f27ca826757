"""Endpoints that are not reached: named, with a way out, tried again only where that can help, and never paid for."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from anyio.abc import ByteStream, SocketAttribute

from servers.specialist import ToolError
from tests.model.messages_server import messages_server
from tests.model.rig import GOOD, AskedCall, Rig, params, rig
from tests.model.self_signed import self_signed


async def fails(rig: Rig) -> ToolError:
    """What asking fails with."""
    with pytest.raises(ToolError) as failed:
        await rig.complete()
    return failed.value


@asynccontextmanager
async def silent() -> AsyncGenerator[int]:
    """The port of a server that takes connections, and says nothing."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")

    async def hear_out(stream: ByteStream) -> None:
        async with stream:
            async for _ in stream:
                pass

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, hear_out)
        yield listener.extra(SocketAttribute.local_port)
        tasks.cancel_scope.cancel()


async def test_a_refused_connection_is_tried_again_and_costs_nothing():
    async with messages_server([]) as gone:
        url = gone.url
    async with rig([], base_url=url, max_retries=2) as at:
        failed = await fails(at)
    assert (failed.failure.kind, failed.failure.retry, len(at.slept)) == ("unavailable", True, 2)


async def test_an_endpoint_that_is_not_there_is_named_with_a_way_out_and_without_its_password():
    async with messages_server([]) as gone:
        url = gone.url
    call = AskedCall()
    async with rig([], base_url=url.replace("//", "//ann:s3cret-word@"), max_retries=1) as at:
        with pytest.raises(ToolError) as failed:
            await at.server.complete(params(), call)
    said = failed.value.failure
    assert f"the endpoint scripted at {url} gave no answer, 2 times: there was no connection" in said.message
    assert said.way_out == f"See whether a server listens at {url} (base_url in models.toml)."
    assert [message for *_, message in call.told if "asked again in" in message], "it does not wait in silence"


async def test_a_server_that_takes_no_tls_is_tried_twice_and_costs_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("servers.minds.endpoint.CONNECT_S", 0.2)
    async with silent() as port, rig([], base_url=f"https://127.0.0.1:{port}") as at:
        failed = await fails(at)
    assert (failed.failure.kind, len(at.slept)) == ("unavailable", 1)
    assert "there was no connection (none within 0.2 s)" in failed.failure.message


async def test_a_certificate_that_nobody_vouches_for_is_said_at_once_and_can_be_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    tls, file = self_signed(tmp_path)
    async with messages_server([{"reply": GOOD}], tls=tls) as secure:
        async with rig([], base_url=secure.url) as at:
            failed = await fails(at)
        assert (failed.failure.kind, failed.failure.retry, at.slept) == ("invalid", False, [])
        assert "self-signed certificate" in failed.failure.message
        assert "SSL_CERT_FILE" in failed.failure.way_out
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        async with rig([], base_url=secure.url) as at:
            assert (await at.complete()).outcome == "ok"
