"""A small slice of `python -m tests.powercut`."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bus.broker import Durability
from tests.powercut.__main__ import Cuts


@pytest.mark.parametrize("durability", ["disk", "process"])
def test_a_power_cut_takes_no_more_than_was_said(durability: Durability) -> None:
    """With `disk` no acknowledged message, with `process` the last second; in no case a stream."""
    command = [sys.executable, "-m", "tests.powercut", "--cuts", "2", "--seed", "7", "--json"]
    done = subprocess.run([*command, "--durability", durability], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    cuts = Cuts.model_validate_json(done.stdout).cuts
    assert sum(cut.acknowledged for cut in cuts) > 0
    if durability == "disk":
        assert [cut.lost for cut in cuts] == [0, 0]
