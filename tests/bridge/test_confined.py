"""A foreign program holds what it was granted and nothing else, and nothing of it outlives its member."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import pytest

from bus.connect import identities
from contracts.config import ServerConfig
from orchestrator import house as houses
from servers.bridge.program import installation
from tests.bridge.rig import host_of, joined
from tests.bridge.small import SERVER
from tests.bridge.test_carried import said
from tests.cli.conftest import Podium, wait_for_end


@pytest.fixture
def small(tmp_path: Path) -> ServerConfig:
    """The small server, where it may read its own file only."""
    scopes = (f"files:read:{SERVER}",)
    return ServerConfig(command=(sys.executable, "-I", str(SERVER), "old"), scopes=scopes)


async def test_what_was_not_granted_is_out_of_its_reach(kept: Podium, small: ServerConfig, tmp_path: Path) -> None:
    """Podium's keys and ledger, a person's files, the broker, other processes."""
    (tmp_path / "note").write_text("private", encoding="utf-8")
    house = await houses.status(kept.state)
    assert house is not None
    async with joined(kept, "small", small) as card, host_of(kept, "small") as client:

        async def reading(path: Path) -> str:
            return said(await client.call_tool("read", {"text": str(path)}))

        assert (await reading(SERVER)).startswith('"""A small MCP server')
        for path in (
            tmp_path / "note",
            identities(kept.state) / "small.nk",
            *list(identities(kept.state).iterdir())[:3],
            kept.state / "house.log",
            Path(f"/proc/{card.pid}/environ"),
            Path(f"/proc/{house.pid}/cmdline"),
        ):
            assert "Error" in await reading(path), path
        port = house.url.rpartition(":")[2]
        assert "PermissionError" in said(await client.call_tool("connect", {"text": port}))


async def test_a_port_that_was_granted_is_reached_and_the_brokers_is_not(kept: Podium, small: ServerConfig) -> None:
    """What lets the member speak to the bus does not let the program."""
    house = await houses.status(kept.state)
    assert house is not None
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    granted = small.model_copy(update={"scopes": (*small.scopes, f"net:connect:{port}")})
    async with listener, joined(kept, "small", granted), host_of(kept, "small") as client:
        assert said(await client.call_tool("connect", {"text": str(port)})) == "connected"
        broker = house.url.rpartition(":")[2]
        assert "PermissionError" in said(await client.call_tool("connect", {"text": broker}))


@pytest.mark.parametrize("how", ["it leaves", "its member is killed", "what is above its member is killed"])
async def test_nothing_that_it_starts_outlives_it(kept: Podium, small: ServerConfig, how: str) -> None:
    """Also what detached itself into a session of its own."""
    async with joined(kept, "small", small) as card, host_of(kept, "small") as client:
        detached = int(said(await client.call_tool("fork", {"text": str(kept.state)})))
        server = parent_of(detached)
        assert parent_of(server) == card.pid
        if how == "its member is killed":
            os.kill(card.pid, signal.SIGKILL)
            assert wait_for_end(detached)
        elif how == "what is above its member is killed":
            os.kill(parent_of(card.pid), signal.SIGTERM)
            assert wait_for_end(detached)
    assert wait_for_end(detached)
    assert wait_for_end(server)


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def test_nothing_that_it_starts_outlives_a_killed_house(fresh: Podium, small: ServerConfig) -> None:
    """However it ends: `kill -9` of the house takes everything with it."""
    assert fresh("up").code == 0
    house = await houses.status(fresh.state)
    assert house is not None
    async with AsyncExitStack() as opened:
        await opened.enter_async_context(joined(fresh, "small", small))
        client = await opened.enter_async_context(host_of(fresh, "small"))
        detached = int(said(await client.call_tool("fork", {"text": str(fresh.state)})))
        os.kill(house.pid, signal.SIGKILL)
        assert wait_for_end(detached)


def test_a_programs_installation_is_found_through_its_links_and_its_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder above `bin`, the `node_modules` it lies in, and those of what runs it; a home is never one."""
    home, node, modules = tmp_path / "home", tmp_path / "node", tmp_path / "app/node_modules"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", str(node / "bin"))
    files = {
        node / "bin/node": "",
        modules / "tool/dist/index.js": "#!/usr/bin/env -S node --quiet\n",
        home / ".local/bin/uvx": "",
        home / "bin/mine": f"#!{node}/bin/node\n",
    }
    for file, text in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
    (modules / ".bin").mkdir()
    (modules / ".bin/tool").symlink_to("../tool/dist/index.js")

    assert installation(node / "bin/node") == (node,)
    assert installation(modules / ".bin/tool") == (modules, node)
    assert installation(home / ".local/bin/uvx") == (home / ".local/bin/uvx",)
    assert installation(home / "bin/mine") == (home / "bin/mine", node)
