"""Every backend that works here is a parameter."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.sandbox.cells import Cell, available, cell


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `backend` runs on each that works here."""
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", available(), scope="module")


@pytest.fixture(scope="module")
async def confined(backend: str) -> AsyncIterator[Cell]:
    """A sandbox of this backend."""
    async with cell(backend) as started:
        yield started
