"""One specialist serves an MCP host of either era by itself: on the checkout as it is, which it leaves as it is."""

from __future__ import annotations

import os
from pathlib import Path

from mcp.client.client import ConnectMode

from contracts import diff
from tests.alone.conftest import Alone, answered, children
from tests.cli.conftest import STOCK, TEST
from tests.e2e.rig import below

MENDED = STOCK.replace("wanted < self.pieces", "wanted <= self.pieces")


async def test_test_runner_runs_the_tests_and_sees_what_is_edited_between_two_calls(
    alone: Alone, era: ConnectMode
) -> None:
    """No run is named, nothing is committed: each call is about the files as they are at that moment."""
    async with alone.client("test_runner", era) as client:
        before = await answered(client, "run")
        alone.project.write({"stock.py": MENDED})
        after = await answered(client, "run")
        alone.project.write({"tests/test_more.py": "def test_more():\n    assert False\n"})
        more = await answered(client, "run", tests=["tests/test_more.py"])
    assert [case["id"] for case in before["cases"] if case["outcome"] == "failed"] == [TEST]
    assert (after["outcome"], after["counts"]["passed"]) == ("passed", 4)
    assert more["counts"]["failed"] == 1


async def test_a_diff_is_tried_on_a_copy(alone: Alone) -> None:
    """What a host sends to be tried is not written anywhere it could see."""
    patch = diff.make("stock.py", STOCK, MENDED)
    async with alone.client("test_runner", "auto") as client:
        assert (await answered(client, "run", diff=patch))["outcome"] == "passed"
        found = await answered(client, "try_patches", candidates=[{"id": "a", "diff": patch}], failing=[TEST])
        assert (await answered(client, "run"))["outcome"] == "failed"
    assert [each["id"] for each in found["results"] if each["outcome"] == "plausible"] == ["a"]


async def test_static_analyzer_sees_an_edit_and_gives_its_own_back_as_a_diff(alone: Alone, era: ConnectMode) -> None:
    """Formatting changes no file; the change comes back for the host to make."""
    async with alone.client("static_analyzer", era) as client:
        assert (await answered(client, "check"))["findings"] == []
        alone.project.write({"stock.py": "import os\nx = ( 1 )\n"})
        found = await answered(client, "check")
        edits = await answered(client, "format", paths=["stock.py"])
    assert "F401" in [finding["rule"] for finding in found["findings"]]
    assert "+x = 1" in edits["diff"]
    assert (alone.project.root / "stock.py").read_text() == "import os\nx = ( 1 )\n"


async def test_repository_reads_what_is_there_now(alone: Alone, era: ConnectMode) -> None:
    """New files, deleted ones, and commits that were made after it was started."""
    async with alone.client("repository", era) as client:
        alone.project.write({"notes.md": "needle\n"})
        (alone.project.root / "stock.py").unlink()
        paths = [file["path"] for file in (await answered(client, "list"))["files"]]
        found = await answered(client, "search", pattern="needle")
        alone.project.commit(message="take stock away")
        history = await answered(client, "history")
    assert paths == ["notes.md", "pyproject.toml", "tests/test_stock.py"]
    assert [match["path"] for match in found["matches"]] == ["notes.md"]
    assert [commit["subject"] for commit in history["commits"]] == ["take stock away", "change"]


async def test_a_host_is_told_where_the_tools_work_and_need_not_name_a_run(alone: Alone, era: ConnectMode) -> None:
    """`run` is in no schema, and refused where a host gives it all the same."""
    commit = alone.project.git("rev-parse", "HEAD").strip()
    async with alone.client("test_runner", era) as client:
        told = client.instructions or ""
        tools = (await client.list_tools()).tools
        refused = await client.call_tool("run", {"run": "r-here1"})
    assert str(alone.project.root) in told
    assert commit[:12] in told
    assert [tool.name for tool in tools] == ["coverage", "run", "try_patches"]
    assert [tool.name for tool in tools if "run" in tool.input_schema["properties"]] == []
    assert [tool.name for tool in tools if "run" in tool.input_schema["required"]] == []
    assert all(tool.annotations and tool.annotations.read_only_hint and tool.output_schema for tool in tools)
    assert refused.is_error
    assert "no parameter `run`" in str(refused.content)


async def test_the_checkout_stays_byte_for_byte_what_it_was(alone: Alone) -> None:
    """Files, index, refs and configuration, whatever is called; no broker, no crew and no key was needed for it."""
    alone.project.write({"stock.py": MENDED, "staged.py": "x = 1\n"})
    alone.project.git("add", "staged.py")
    before, others = alone.project.snapshot(), below(os.getpid())
    async with alone.client("test_runner", "auto") as client:
        running = {pid: words for pid, words in below(os.getpid()).items() if pid not in others}
        await answered(client, "run")
        await answered(client, "coverage", failing=[TEST])
    assert [words for words in running.values() if "nats-server" in words or "servers.house" in words] == []
    assert alone.project.snapshot() == before
    assert sorted(path.name for path in alone.podium.state.iterdir()) == ["alone"]
    assert alone.left() == []


async def test_the_specialist_is_confined_as_in_a_house(alone: Alone) -> None:
    """It gains no privileges and makes no system call beyond its own; only who reads the checkout is free."""
    async with alone.client("repository", "auto"):
        (reader,) = [pid for pid, words in below(os.getpid()).items() if "servers.alone" in words and children(pid)]
        (specialist,) = children(reader)
        status = dict(line.split(":", 1) for line in Path(f"/proc/{specialist}/status").read_text().splitlines())
    assert (status["NoNewPrivs"].strip(), status["Seccomp"].strip()) == ("1", "2")
    assert int(status["CapEff"], 16) == 0
