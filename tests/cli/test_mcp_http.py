"""`podium mcp --http` as people call it."""

from __future__ import annotations

import json
import signal
import socket
import stat
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from orchestrator.cli.http_settings import http_settings
from orchestrator.cli.trouble import Trouble
from tests.cli.conftest import LIMIT_S, Podium
from tests.gateway.http.issuer import AUDIENCE, issuer
from tests.gateway.http.web import ask, host

BASIC = ("mcp", "--http", "--port", "0")


@dataclass
class Serving:
    """A gateway in a process of its own."""

    url: str
    """The first line it printed."""
    said: str = ""
    """What it printed for people, once it has ended."""


@asynccontextmanager
async def serving(podium: Podium, *options: str) -> AsyncGenerator[Serving]:
    """One, for as long as the block runs; told to end, it ends well."""
    with podium.begin(*BASIC, *options) as process:
        assert process.stdout is not None
        found = Serving((await anyio.to_thread.run_sync(process.stdout.readline)).strip())
        try:
            yield found
        finally:
            process.terminate()
            _, found.said = await anyio.to_thread.run_sync(process.communicate)
            assert process.returncode == 0, found.said


async def test_a_token_is_made_and_shown_once(kept: Podium) -> None:
    """The address is the first line; whoever has the token is let in, in both eras, and nobody else."""
    file = kept.state / "mcp-token"
    async with serving(kept) as first:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        token = file.read_text().strip()
        assert (await ask(first.url, "tools/list")).status_code == 401
        for era in ("auto", "legacy"):
            async with host(first.url, era, token) as client:
                assert "repository__list" in {tool.name for tool in (await client.list_tools()).tools}
    assert f"Authorization: Bearer {token}" in first.said
    async with serving(kept) as second:
        assert (await ask(second.url, "tools/list", token=token)).status_code == 200
    assert token not in second.said


async def test_without_authorization_every_program_of_this_machine_is_let_in(kept: Podium) -> None:
    """As far as the host's grant goes; one document says where, and that."""
    with kept.begin(*BASIC, "--no-auth", "--json", "--only", "repository", "--read-only") as process:
        assert process.stdout is not None
        try:
            text = ""
            while not text.endswith("}\n"):
                text += await anyio.to_thread.run_sync(process.stdout.readline)
            told = json.loads(text)
            assert told["authorization"] == "none"
            async with host(told["url"]) as client:
                tools = {tool.name for tool in (await client.list_tools()).tools}
                assert {name.partition("__")[0] for name in tools} == {"repository"}
        finally:
            process.terminate()
            process.wait()


async def test_an_issuers_tokens_are_let_in(kept: Podium, tmp_path: Path) -> None:
    """Its keys are found by its metadata, or where a person says: a URL or a file."""
    async with issuer() as found:
        file = tmp_path / "keys.json"
        file.write_text(json.dumps(found.keys()), encoding="utf-8")
        for keys in ((), ("--jwks", found.keys_at), ("--jwks", str(file))):
            async with serving(kept, "--issuer", found.url, "--audience", AUDIENCE, *keys) as gateway:
                assert (await ask(gateway.url, "tools/list", token=found.token())).status_code == 200
                assert (
                    await ask(gateway.url, "tools/list", token=found.token(aud="https://x.example"))
                ).status_code == 401


async def test_the_audit_shows_for_whom_a_call_was_made(kept: Podium) -> None:
    """Beside the host that made it."""
    async with issuer() as found, serving(kept, "--issuer", found.url, "--audience", AUDIENCE) as gateway:
        async with host(gateway.url, token=found.token(sub="ada@example.com")) as client:
            await client.call_tool("repository__list", {"run": "r-aaaa"})
    log = kept("audit", "log", "--kind", "call", "--json").document
    assert [(each["caller"], each["subject"]) for each in log] == [("host_host", "ada@example.com")]
    assert "host_host for ada@example.com" in kept("audit", "log", "--kind", "call", env={"COLUMNS": "160"}).out
    following = ("audit", "log", "--follow", "--since", "1h", "--agent", "host_host", "--kind", "call", "--json")
    with kept.begin(*following) as process:
        given_up = threading.Timer(LIMIT_S, process.kill)  # it never ends by itself
        given_up.start()
        try:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline()) == log[0]
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=LIMIT_S) == 0, "it was asked to end"
        finally:
            given_up.cancel()
            process.kill()


async def test_a_member_is_served_as_it_is(kept: Podium) -> None:
    """Under its own names."""
    async with serving(kept, "--no-auth", "--only", "repository", "--as-is") as gateway:
        async with host(gateway.url) as client:
            assert "list" in {tool.name for tool in (await client.list_tools()).tools}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"bind": "0.0.0.0", "no_auth": True}, "would let everybody in"),
        ({"bind": "::", "no_auth": True}, "would let everybody in"),
        ({"bind": "192.0.2.1", "no_auth": True}, "would let everybody in"),
        ({"bind": "example.com"}, "is no address"),
        ({"issuer": "https://i.example"}, "belong together"),
        ({"audience": "https://p.example/mcp"}, "belong together"),
        ({"jwks": "https://i.example/keys"}, "--issuer"),
        ({"issuer": "http://i.example", "audience": "https://p.example"}, "not encrypted"),
        ({"issuer": "https://i.example", "audience": "http://p.example"}, "not encrypted"),
        (
            {"issuer": "https://i.example", "audience": "https://p.example", "jwks": "http://i.example/k"},
            "not encrypted",
        ),
        ({"issuer": "http://127.0.0.1.evil.example", "audience": "https://p.example"}, "not encrypted"),
        ({"issuer": "http://localhost@evil.example", "audience": "https://p.example"}, "not encrypted"),
        ({"issuer": "https://user@i.example", "audience": "https://p.example"}, "a user or a fragment"),
        ({"issuer": "ftp://i.example", "audience": "https://p.example"}, "no https address"),
        ({"issuer": "https://i.example:x", "audience": "https://p.example"}, "Port"),
        ({"issuer": "https://i.example", "audience": "https://p.example", "no_auth": True}, "exclude each other"),
        ({"token_file": Path("t"), "no_auth": True}, "exclude each other"),
    ],
)
def test_what_would_not_be_safe_is_refused(given: dict[str, Any], said: str) -> None:
    """Before anything is opened."""
    with pytest.raises(Trouble, match=said) as refused:
        http_settings(**given)
    assert refused.value.code == 2


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9", "http://localhost:9", "http://[::1]:9", "https://i.example/realms/a"]
)
def test_an_issuer_is_reached_encrypted_or_on_this_machine(url: str) -> None:
    """And answers to the names that its own URL and a person give it."""
    found = http_settings(issuer=url, audience="https://p.example:8443/mcp", allow_host=("q.example",), bind="::1")
    assert found.hosts == ("[::1]", "p.example:8443", "q.example")


def test_a_port_that_is_taken_is_said(kept: Podium) -> None:
    """With the way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = kept("mcp", "--http", "--port", str(taken.getsockname()[1]), "--no-auth")
    assert done.code == 1
    assert "--port 0" in done.err


@pytest.mark.parametrize("option", [("--port", "1"), ("--no-auth",), ("--issuer", "https://i.example"), ("--json",)])
def test_options_of_http_are_for_http(kept: Podium, option: tuple[str, ...]) -> None:
    """Nobody is to believe that standard input was guarded."""
    done = kept("mcp", *option)
    assert done.code == 2
    assert f"{option[0]} is for --http" in done.err


def test_an_issuer_whose_keys_cannot_be_had_is_said(kept: Podium) -> None:
    """At the start, not at the first token."""
    options = ("--issuer", "http://127.0.0.1:9", "--audience", AUDIENCE)
    done = kept(*BASIC, *options)
    assert done.code == 1
    assert "keys of http://127.0.0.1:9 cannot be had" in done.err
