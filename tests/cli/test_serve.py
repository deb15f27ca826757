"""`podium serve`: for as long as it runs a server is in the crew, with what was granted on the command line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from contracts.config import Joining, ServerConfig
from contracts.pin import pin_file
from orchestrator.cli.joining import joining
from orchestrator.cli.trouble import Trouble
from tests.bridge.rig import host_of
from tests.bridge.small import SERVER
from tests.bridge.test_carried import said
from tests.cli.conftest import Podium, wait_for_end
from tests.cli.test_joining import AGENT, gone, greet, speaking

SMALL = ("--name", "small", "--grant", f"files:read:{SERVER}", "--", sys.executable, "-I", str(SERVER), "old")


@contextmanager
def served(podium: Podium, *words: str) -> Generator[dict[str, Any]]:
    """The command, running; yields the document it prints once it serves, and ends it as a person does."""
    process = podium.begin("serve", "--json", *words)
    with process:
        try:
            assert process.stdout is not None
            text = ""
            for line in process.stdout:
                text += line
                if line == "}\n":
                    break
            assert text, process.stderr and process.stderr.read()
            yield json.loads(text)
        finally:
            process.send_signal(signal.SIGINT)
            assert ended(process) == 0


def ended(process: subprocess.Popen[str]) -> int:
    return process.wait(60)


def test_it_says_what_it_serves_and_ends_cleanly(fresh: Podium) -> None:
    """Broker and crew are started for it where none run, and end with it; nobody approved it, so calls are refused."""
    with served(fresh, *SMALL) as card:
        assert card["manifest"]["name"] == "small"
        assert "say" in [tool["name"] for tool in card["tools"]]
        assert card["granted_scopes"] == [f"files:read:{SERVER}"]
        assert card["refuses"] == "its tools were never approved"
        house = fresh("status", "--json").document["house"]["pid"]
    assert wait_for_end(house)


async def test_what_is_approved_with_it_can_be_called(kept: Podium) -> None:
    """At once, and the next time without approving it again; it leaves with the command."""
    for words in (("--approve",), ()):
        with served(kept, *words, *SMALL) as card:
            assert card["refuses"] == ""
            async with host_of(kept, "small") as client:
                assert "hi" in said(await client.call_tool("say", {"text": "hi"}))
        await gone(kept, "small")


async def test_an_agents_file_serves_under_the_name_it_gives_itself(kept: Podium, tmp_path: Path) -> None:
    """Or under another."""
    file = tmp_path / "doc_writer.py"
    file.write_text(AGENT, encoding="utf-8")
    for words, name in (((), "greeter"), (("--name", "welcomer"), "welcomer")):
        with served(kept, str(file), "--approve", *words) as card:
            assert card["manifest"]["name"] == name
            assert pin_file(kept.crew, name).exists()
            if name == "greeter":
                async with speaking(kept, Joining(name="cursor")) as caller:
                    assert await greet(caller, "Ada") == "Hello, Ada!"


def test_what_cannot_be_served_is_said_with_the_reason(kept: Podium) -> None:
    """A program that ends, and a name that is taken."""
    for words, told in [
        (("--name", "ends", "--", sys.executable, "-c", "import sys; sys.exit('no licence')"), "no licence"),
        (("--name", "model", "--", sys.executable), "there is a server model in the crew already"),
    ]:
        done = kept("serve", *words)
        assert done.code == 1
        assert told in done.err


@pytest.mark.parametrize(
    ("what", "more", "told"),
    [
        ((), {}, "Nothing, or two things"),
        (("npx",), {"url": "https://example.com"}, "Nothing, or two things"),
        ((sys.executable,), {}, "It has no name"),
        ((sys.executable,), {"name": "A b"}, "'A b' is no name"),
        (("no-such-program",), {"name": "x"}, "There is no program no-such-program"),
        ((sys.executable,), {"name": "x", "grants": ["files:eat:/"]}, "'files:eat:/' is no grant"),
        ((sys.executable,), {"name": "x", "env": ["NOT_SET_AT_ALL"]}, "NOT_SET_AT_ALL is not set"),
        (("missing.py",), {}, "missing.py"),
    ],
)
def test_what_is_not_clear_is_refused_before_anything_starts(
    what: tuple[str, ...], more: dict[str, Any], told: str
) -> None:
    """Each says what is wrong, as wrong usage."""
    with pytest.raises(Trouble, match=told) as refused:
        joining(what, more.get("name", ""), more.get("url", ""), more.get("grants", ()), more.get("env", ()))
    assert refused.value.code == 2


def test_paths_and_variables_mean_what_they_meant_where_they_were_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The crew runs elsewhere."""
    monkeypatch.chdir(tmp_path)
    asked = joining(
        (Path(sys.executable).name, "docs"),
        "files",
        "",
        ["files:write:docs", "net:connect:443", "repository.read"],
        ["TOKEN", "MODE=a=b"],
        {"TOKEN": "secret"},
    )
    assert asked.server is not None
    assert Path(asked.server.command[0]).is_absolute()
    assert asked.server.command[1:] == ("docs",)
    assert asked.server.scopes == (f"files:write:{tmp_path / 'docs'}", "net:connect:443")
    assert asked.server.calls == ("repository.read",)
    assert asked.server.env == (("TOKEN", "secret"), ("MODE", "a=b"))


def test_a_servers_environment_is_a_table_in_the_crew_file() -> None:
    """As people write it."""
    assert ServerConfig.model_validate({"command": ["x"], "env": {"A": "1"}}).env == (("A", "1"),)
