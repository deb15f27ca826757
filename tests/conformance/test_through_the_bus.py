"""Through the bus our conformance server scores as directly: gateway over HTTP, NATS, bridge, its own process."""

from __future__ import annotations

import re
import sys
from collections.abc import Generator
from contextlib import ExitStack

import anyio
import pytest
from anyio.from_thread import start_blocking_portal
from mcp import Client
from mcp.shared.subscriptions import ResourceUpdated
from mcp_types import ResourceUpdatedNotification

from contracts.config import ServerConfig
from tests.bridge.rig import ROOT, joined
from tests.cli.conftest import Podium
from tests.conformance.__main__ import DIRECTLY
from tests.conformance.results import PASSED, TOLD, differences
from tests.conformance.server.resources import WATCHED
from tests.conformance.suite import REVISIONS, run_suite, serving

PAGE = ROOT / "docs/conformance.md"
MEMBER = ServerConfig(
    command=(sys.executable, "-m", "tests.conformance.server", "--stdio"), env=(("PYTHONPATH", str(ROOT)),)
)
PODIUM = (sys.executable, "-m", "orchestrator.cli.main")
GATEWAY = (*PODIUM, "mcp", "--http", "--port", "0", "--no-auth", "--only", "conformance", "--as-is")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """Where the gateway serves it."""
    podium = Podium(tmp_path_factory.mktemp("bus") / "state")
    assert podium("up").code == 0
    with ExitStack() as opened:
        opened.callback(podium, "down")
        portal = opened.enter_context(start_blocking_portal())
        opened.enter_context(portal.wrap_async_context_manager(joined(podium, "conformance", MEMBER)))
        yield opened.enter_context(serving(GATEWAY, podium.environment()))


@pytest.fixture(scope="module")
def direct() -> Generator[str]:
    """Where it serves itself."""
    with serving(DIRECTLY) as url:
        yield url


@pytest.mark.parametrize("revision", REVISIONS)
def test_it_scores_as_directly_and_the_page_says_how_much(url: str, direct: str, revision: str) -> None:
    """Check by check; no failure, no warning; docs/conformance.md has the figure."""
    reference, found = run_suite(direct, revision), run_suite(url, revision)
    assert differences(reference, found) == []
    assert [str(check) for check in found.checks if check.status not in (PASSED, TOLD)] == []
    written = re.search(rf"^\| {revision} \|[^|]*\| (\d+) of (\d+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert written is not None, f"{PAGE.name} has no figure for {revision}"
    assert written.groups() == (str(found.passed), str(found.passed))


async def test_a_listener_of_2026_hears_that_the_watched_resource_changed(url: str) -> None:
    """The gateway has the member watch it for as long as somebody listens."""
    async with Client(url, cache=None) as client, client.listen(resource_subscriptions=[WATCHED]) as events:
        await client.call_tool("test_trigger_resource_change", {})
        with anyio.fail_after(10):
            async for event in events:
                assert event == ResourceUpdated(uri=WATCHED)
                break


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
async def test_a_subscriber_of_2025_hears_that_the_watched_resource_changed(url: str) -> None:
    """On its session."""
    heard = anyio.Event()

    async def on_message(message: object) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            heard.set()

    async with Client(url, mode="legacy", message_handler=on_message) as client:
        await client.subscribe_resource(WATCHED)  # pyright: ignore[reportDeprecated] - 2025 clients still use it
        with anyio.fail_after(20):
            while not heard.is_set():  # its stream may not have been open yet
                await client.call_tool("test_trigger_resource_change", {})
