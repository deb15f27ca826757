"""Files of two signed runs and of their whole ledger, made once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from orchestrator.recording_file import load
from tests.audit.rig import ledger
from tests.replay.record import BY_MODEL, GOOD


@dataclass(frozen=True)
class Files:
    """Lines of exported files."""

    run: tuple[str, ...]
    other: tuple[str, ...]
    whole: tuple[str, ...]
    seeds: dict[str, str]
    """Private keys of some who are on the roster, by name."""


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Two runs at the same time, so that in the file of each there is something of the other's."""

    async def make(folder: Path) -> Files:
        one, two = load(GOOD), load(BY_MODEL)
        async with ledger(folder) as made:
            await made.keep(await made.notary(), one, two)
            seeds = {name: made.identity(name).seed for name in ("repository", "orchestrator", "notary")}
            return Files(
                tuple(await made.file_of(one.run)),
                tuple(await made.file_of(two.run)),
                tuple(await made.whole_file()),
                seeds,
            )

    return anyio.run(make, tmp_path_factory.mktemp("files"))
