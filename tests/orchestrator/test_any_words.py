"""Whatever people and models say, a run can go on with it or end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.workspace import CommitParams
from orchestrator import words
from orchestrator.cli.wishes import MAX_TICKET_CHARS
from tests.orchestrator.builders import build, make_site
from tests.orchestrator.crew import RUN
from tests.orchestrator.stage import Stage
from tests.orchestrator.test_building import bundle_of


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_makes_a_commits_first_line(text: str) -> None:
    """One line, never empty."""
    subject = words.subject(text)
    assert CommitParams(run=RUN, step="s", agent="a", subject=subject).subject == subject.strip()


async def test_a_ticket_as_long_as_tickets_may_be_is_taken(stage: Stage) -> None:
    """Map, similar code and commits get as much of it as they take."""
    make_site(stage)
    outcome = await build(stage, request="word " * (MAX_TICKET_CHARS // 5))
    assert outcome.exit_code == 0, outcome.state.reason


async def test_what_a_writer_calls_its_change_is_committed_under_one_line(stage: Stage) -> None:
    """Whatever characters a model's summary holds."""
    crew = make_site(stage)
    crew.summary = "Sell\a the\nlast\0"
    outcome = await build(stage, request="It\0 is\x1b[31m new.")
    assert outcome.exit_code == 0, outcome.state.reason
    assert bundle_of(stage).commits[0].subject == "Sell the last"


async def test_a_call_that_its_contract_does_not_take_ends_the_run(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be made again by every resume: a run that fails is better than one that can only be aborted."""

    def subject(text: str) -> str:
        return f"{text}\a"

    monkeypatch.setattr(words, "subject", subject)
    make_site(stage)
    outcome = await build(stage)
    assert (outcome.exit_code, outcome.state.status) == (1, "failed")
    assert "CommitParams is not valid: subject" in outcome.state.reason
    assert "defect" in outcome.state.way_out
    assert not [step for step in outcome.state.steps if step.status == "running"]
