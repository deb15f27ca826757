"""How a run's end is told: whole lines on a narrow terminal, and nothing where there is nothing to say."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from bus.memory import MemoryBroker
from contracts.diff import make
from contracts.failure import Failure
from contracts.static_analyzer import Finding
from orchestrator.cli.tell import draw_outcome, report_of
from orchestrator.ports import Paths
from tests.orchestrator.crew import ScriptedCrew, proposal
from tests.orchestrator.stage import Stage

LONG = f"x = '{'1234567890' * 12}'"
FINDING = Finding(rule="E501", level="warning", message="y" * 90, path="x.py", line=1, column=1)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A run of it changes a long line, and has something long to say about it."""
    broker, work = MemoryBroker(), tmp_path / "work"
    crew = ScriptedCrew(work, proposals=(proposal(make("x.py", "x = 1\n", f"{LONG}\n")),), findings=(FINDING,))
    return Stage(broker.connect("orchestrator"), broker, crew, Paths.below(tmp_path))


def narrow() -> tuple[Console, StringIO]:
    file = StringIO()
    return Console(file=file, width=40), file


async def test_the_end_of_a_run_shows_every_character_of_its_diff(stage: Stage) -> None:
    """Lines that are longer than the terminal is wide are left for it to wrap; a linter's message is folded."""
    to, file = narrow()

    draw_outcome(report_of(await stage.run()), to)

    assert f"\n  +{LONG}\n" in file.getvalue()
    assert file.getvalue().count("y") >= len(FINDING.message)


async def test_a_failure_without_a_way_out_leaves_no_empty_line_for_one(stage: Stage) -> None:
    """What follows the reason is what can be typed now."""
    stage.crew.failures["workspace.open"] = Failure(kind="internal", message="It rained.")
    to, file = narrow()

    draw_outcome(report_of(await stage.run()), to)

    assert "It rained.\n\n  podium audit log" in file.getvalue()
