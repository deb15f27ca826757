"""The whole of Podium from outside: real processes, a house that is kept, nothing left behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Podium, make_project
from tests.e2e.rig import adopting, below, files_left, survivors
from tests.git_project import Project


@pytest.fixture(scope="package", autouse=True)
def adopted() -> Iterator[None]:
    """Whatever detaches itself is found again as a child of the tests."""
    with adopting():
        yield


@pytest.fixture(scope="package")
def kept(tmp_path_factory: pytest.TempPathFactory, adopted: None) -> Iterator[Podium]:
    """A house that stays up for all tests that leave it alive; `down` leaves nothing of it."""
    before = below(os.getpid())
    podium = Podium(tmp_path_factory.mktemp("kept") / "state")
    up = podium("up")
    assert up.code == 0, up.err
    yield podium
    assert podium("down").code == 0
    assert survivors(before) == {}
    assert files_left(podium) == []


@pytest.fixture
def others(adopted: None) -> set[int]:
    """Processes of ours that were there before the test: the kept house, if it is up."""
    return set(below(os.getpid()))


@pytest.fixture
def fresh(tmp_path: Path, others: set[int]) -> Iterator[Podium]:
    """A state directory nobody has used; at the end nothing runs there that ran not before."""
    podium = Podium(tmp_path / "state")
    yield podium
    podium("down")
    assert survivors(others) == {}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A small project with an off-by-one bug."""
    return make_project(tmp_path / "shop")
