"""Servers that others wrote join unmodified: every tool answers as it does directly, and a killed one is healed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client import ClientRequestContext
from mcp_types import ElicitRequestParams, ElicitResult

from contracts.config import ServerConfig
from tests.bridge.rig import host_of, joined, script
from tests.bridge.test_carried import rooted, said, sampled
from tests.cli.conftest import Podium

Calls = list[tuple[str, dict[str, Any]]]
"""Tools and arguments, in order."""

EVERYTHING: Calls = [
    ("echo", {"message": "hi"}),
    ("get-annotated-message", {"messageType": "error", "includeImage": True}),
    ("get-env", {}),
    ("get-resource-links", {"count": 2}),
    ("get-resource-reference", {"resourceType": "Text", "resourceId": 1}),
    ("get-structured-content", {"location": "New York"}),
    ("get-sum", {"a": 1, "b": 2}),
    ("get-tiny-image", {}),
    ("gzip-file-as-resource", {"name": "z.gz", "data": "data:text/plain;base64,aGk=", "outputType": "resource"}),
    ("toggle-simulated-logging", {}),
    ("toggle-subscriber-updates", {}),
    ("trigger-long-running-operation", {"duration": 0.2, "steps": 2}),
    ("get-roots-list", {}),
    ("trigger-elicitation-request", {}),
    ("trigger-url-elicitation", {}),
    ("trigger-sampling-request", {"prompt": "p", "maxTokens": 10}),
    ("simulate-research-query", {"topic": "x", "ambiguous": False}),
    ("get-sum", {"a": "no number"}),
    ("no-such-tool", {}),
]


def filesystem(root: Path) -> Calls:
    """What can be done to files, each once."""

    def at(name: str, **more: Any) -> dict[str, Any]:
        return {"path": str(root / name), **more}

    return [
        ("read_file", at("a.txt")),
        ("read_text_file", at("a.txt", head=1)),
        ("read_media_file", at("a.txt")),
        ("read_multiple_files", {"paths": [str(root / "a.txt"), str(root / "missing")]}),
        ("write_file", at("new.txt", content="new")),
        ("edit_file", at("a.txt", edits=[{"oldText": "one", "newText": "eins"}])),
        ("create_directory", at("folder/deep")),
        ("list_directory", at("")),
        ("list_directory_with_sizes", at("")),
        ("directory_tree", at("")),
        ("move_file", {"source": str(root / "new.txt"), "destination": str(root / "folder/moved.txt")}),
        ("search_files", at("", pattern="**/*.txt")),
        ("get_file_info", at("folder/moved.txt")),
        ("list_allowed_directories", {}),
        ("read_text_file", {"path": "/etc/hostname"}),
    ]


_TIMES = r"\d+:\d\d:\d\d( [AP]M)?|20\d\d-\d\d-[^\\]*Z|\w{3} \w{3} \d\d 20[^\\]*"


async def filled_in(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    if params.mode == "url":
        return ElicitResult(action="decline")
    return ElicitResult(action="accept", content={"name": "Ada", "check": True})


ABLE: Mapping[str, Any] = {
    "elicitation_callback": filled_in,
    "sampling_callback": sampled,
    "list_roots_callback": rooted,
}


async def answers(client: Client, calls: Calls) -> list[Any]:
    """What each call came to, without the times in it and without `_meta`."""
    found: list[Any] = []
    for tool, arguments in calls:
        try:
            result = await client.call_tool(tool, arguments)
            found.append(result.model_dump(by_alias=True, mode="json", exclude={"meta"}, exclude_none=True))
        except Exception as wrong:
            found.append(str(wrong))
    return json.loads(
        re.sub(r"\d+:\d\d:\d\d( [AP]M)?|20\d\d-\d\d-[^\\]*Z|\w{3} \w{3} \d\d 20[^\\]*", "TIME", json.dumps(found))
    )


def directly(command: tuple[str, ...], **able: Any) -> Client:
    return Client(StdioServerParameters(command=command[0], args=list(command[1:])), cache=None, **able)


async def test_every_tool_of_server_everything_answers_as_directly(kept: Podium) -> None:
    """Definitions and results, what it asks in mid-call, and its errors; only the environment is another."""
    command = script("mcp-server-everything")
    async with directly(command, **ABLE) as client:
        tools = (await client.list_tools()).tools
        direct = await answers(client, EVERYTHING)
        resources, prompts = await client.list_resources(), await client.list_prompts()
        read = await client.read_resource(resources.resources[0].uri)
    async with joined(kept, "everything", ServerConfig(command=command)), host_of(kept, "everything", **ABLE) as client:
        assert (await client.list_tools()).tools == tools
        bridged = await answers(client, EVERYTHING)
        assert (await client.list_resources()).resources == resources.resources
        assert (await client.list_prompts()).prompts == prompts.prompts
        assert (await client.read_resource(resources.resources[0].uri)).contents == read.contents
    assert {tool.name for tool in tools} <= {tool for tool, _ in EVERYTHING}
    environment = json.loads(bridged[2]["content"][0]["text"])
    assert environment.keys() == {"PATH", "LANG", "HOME", "TMPDIR"}
    direct[2] = bridged[2]
    for call, mine, theirs in zip(EVERYTHING, bridged, direct, strict=True):
        assert mine == theirs, call


async def test_every_tool_of_server_filesystem_answers_as_directly(kept: Podium, tmp_path: Path) -> None:
    """Within what it was granted; also its refusal of what its own arguments do not allow."""
    root, command = tmp_path / "files", (*script("mcp-server-filesystem"), str(tmp_path / "files"))

    def anew() -> None:
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        (root / "a.txt").write_text("one\ntwo\n", encoding="utf-8")

    anew()
    async with directly(command) as client:
        tools = (await client.list_tools()).tools
        direct = await answers(client, filesystem(root))
    anew()
    server = ServerConfig(command=command, scopes=(f"files:write:{root}",))
    async with joined(kept, "files", server), host_of(kept, "files") as client:
        assert (await client.list_tools()).tools == tools
        bridged = await answers(client, filesystem(root))
    assert {tool.name for tool in tools} == {tool for tool, _ in filesystem(root)}
    for call, mine, theirs in zip(filesystem(root), bridged, direct, strict=True):
        assert mine == theirs, call
    assert (root / "folder/moved.txt").read_text() == "new"


async def test_a_path_that_was_not_granted_is_out_of_reach_of_a_tool_that_would_read_it(
    kept: Podium, tmp_path: Path
) -> None:
    """The server itself was told that it may; the kernel says no, to reading and to writing what is granted to read."""
    for folder in ("granted", "closed"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "note").write_text(folder, encoding="utf-8")
    folders = [str(tmp_path / folder) for folder in ("granted", "closed")]
    server = ServerConfig(
        command=(*script("mcp-server-filesystem"), *folders), scopes=(f"files:read:{tmp_path / 'granted'}",)
    )
    async with joined(kept, "files", server), host_of(kept, "files") as client:
        granted = await client.call_tool("read_text_file", {"path": str(tmp_path / "granted/note")})
        closed = await client.call_tool("read_text_file", {"path": str(tmp_path / "closed/note")})
        written = await client.call_tool("write_file", {"path": str(tmp_path / "granted/new"), "content": "x"})
    assert said(granted) == "granted"
    assert (closed.is_error, "EACCES" in said(closed)) == (True, True)
    assert (written.is_error, "EACCES" in said(written)) == (True, True)


@pytest.mark.parametrize("program", ["mcp-server-everything"])
async def test_a_server_that_is_killed_is_healed(kept: Podium, program: str) -> None:
    """`kill -9` of its process: the next call is answered by another one."""
    async with joined(kept, "mortal", ServerConfig(command=script(program))), host_of(kept, "mortal") as client:
        for number in range(3):
            assert said(await client.call_tool("echo", {"message": str(number)})) == f"Echo: {number}"
            os.kill(process_of(kept, "server-everything/dist"), signal.SIGKILL)
        assert said(await client.call_tool("echo", {"message": "still"})) == "Echo: still"


def process_of(podium: Podium, part: str) -> int:
    """The one process whose command line has `part` in it and whose home lies in the house's scratch."""
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                words, home = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
            except OSError:
                continue
            if part.encode() in words and f"HOME={podium.state}/scratch".encode() in home:
                found.append(int(folder.name))
    (pid,) = found
    return pid
