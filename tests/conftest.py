"""What all tests share."""

from __future__ import annotations

import os

import pytest

from contracts.consent import CONSENT_ENV


def pytest_configure() -> None:
    """Whoever runs the suite has its crews start, too, where the kernel has no Landlock to hold them."""
    os.environ[CONSENT_ENV] = "1"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Podium runs on asyncio."""
    return "asyncio"
