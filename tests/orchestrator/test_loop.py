"""The loop, over the in-memory bus with a crew that follows a script."""

from __future__ import annotations

from tests.orchestrator.stage import Stage


async def test_a_bug_is_fixed_and_handed_over_when_every_gate_is_automatic(stage: Stage) -> None:
    """With a plausible patch and automatic gates a run ends as handed over, with exit code 0."""
    outcome = await stage.run()
    assert (outcome.state.status, outcome.state.reason) == ("handed_over", "")
