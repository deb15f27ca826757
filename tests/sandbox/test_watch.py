"""Which files count as written by a job, whatever others do meanwhile: set the clock, or free room."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from servers.sandbox.canary import LIMITS
from servers.sandbox.watch import Since, Watchdog


@pytest.mark.parametrize("jump", [0.0, 86_400.0, -86_400.0], ids=["not set", "forward", "back"])
def test_what_is_written_from_now_on_counts_in_whatever_year(jump: float) -> None:
    """Were it left out, a job could fill the disk after its machine's clock was set back."""
    wall, counted = 1_000_000.0, 50.0
    since = Since(lambda: wall, lambda: counted)
    before = wall - 1
    first = wall + 1
    wall, counted = wall + 10 + jump, counted + 10
    second = wall - 1
    assert first >= since.stamp()
    assert second >= since.stamp()
    assert jump < 0 or before < since.stamp()


def test_what_others_free_does_not_hide_what_a_job_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are measured one by one when the file system has filled since it was emptiest, not since the job began."""
    free = 100 << 20

    def statvfs(of: Path) -> SimpleNamespace:
        return SimpleNamespace(f_bfree=free, f_frsize=1, f_ffree=1 << 20)

    monkeypatch.setattr(os, "statvfs", statvfs)
    dog = Watchdog(replace(LIMITS, disk_bytes=16 << 20, processes=10_000, memory_bytes=1 << 40), tmp_path, helpers=0)
    free = 200 << 20
    assert dog.breach() is None
    (tmp_path / "written").write_bytes(bytes(20 << 20))
    free = 180 << 20
    assert dog.breach() == "disk"
