"""One sandbox for all projects of a module."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from servers.sandbox.client import KeptSandbox, start_keeper
from servers.sandbox.order import Policy
from tests.test_runner.project import Project


@pytest.fixture(scope="module")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[KeptSandbox]:
    """The strongest sandbox this machine allows."""
    async with KeptSandbox(start_keeper(Policy(tmp_path_factory.getbasetemp(), read_anywhere=True))) as kept:
        yield kept


@pytest.fixture
def project(sandbox: KeptSandbox, tmp_path: Path) -> Project:
    """An empty project."""
    made = Project(tmp_path, sandbox)
    made.tree.mkdir(parents=True)
    made.scratch.mkdir()
    return made
