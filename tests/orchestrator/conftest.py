"""What the orchestrator's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.orchestrator.stage import Stage, make_stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A conductor's surroundings, with a crew that follows a script."""
    return make_stage(tmp_path)
