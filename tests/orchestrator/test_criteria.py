"""Acceptance criteria and links: where they go, and what answers a criterion."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from contracts.code_writer import ProposeParams
from contracts.gate_policy import HUMAN
from contracts.task import Criterion
from contracts.test_writer import NewTest
from orchestrator import bundle as bundles
from orchestrator.papers import draw_bundle, paper
from tests.orchestrator.crew import RUN, TEST, suite
from tests.orchestrator.stage import AUTO_ALL, TASK, WORKFLOW, Stage
from tests.orchestrator.test_loop import bundle_of

LINK = f"https://example.invalid/tickets/{'7' * 300}"
GREEN, RED = "tests/test_x.py::test_green", "tests/test_x.py::test_red"


async def test_criteria_and_links_go_all_the_way(stage: Stage) -> None:
    """They are at the plan gate, with the writer, and in the bundle, where each criterion is answered."""
    criteria = (
        Criterion(id="c1", text=f"The total is right (`{TEST}`)."),
        Criterion(id="c2", text="It is documented."),
    )
    task = TASK.model_copy(update={"criteria": criteria, "links": (LINK,)})
    outcome = await stage.conductor().start(task, WORKFLOW, AUTO_ALL.model_copy(update={"plan": HUMAN}))
    request = outcome.waiting
    assert request is not None
    shown = Console(file=StringIO(), width=100_000)
    shown.print(paper(request))
    assert isinstance(shown.file, StringIO)
    assert all(each in shown.file.getvalue() for each in (LINK, *(criterion.text for criterion in criteria)))

    outcome = await stage.conductor().resume(RUN, AUTO_ALL)

    assert outcome.exit_code == 0, outcome.state.reason
    asked = next(each for each in stage.crew.asked if isinstance(each, ProposeParams))
    assert asked.request == f"y is wrong\n- The total is right (`{TEST}`).\n- It is documented."
    bundle = bundle_of(stage)
    assert [(each.criterion.id, each.status, each.met_by) for each in bundle.criteria] == [
        ("c1", "met", (TEST,)),
        ("c2", "not verified", ()),
    ]
    assert bundle.links == (LINK,)
    summary = (stage.paths.bundles / RUN / "summary.md").read_text()
    assert f"See {LINK}" in summary
    assert "| It is documented. | not verified |" in summary
    shown.print(draw_bundle(bundle))
    assert f"See {LINK}" in shown.file.getvalue()
    assert "c2 not verified: It is documented." in shown.file.getvalue()


@pytest.mark.parametrize(
    ("text", "claimed", "met_by"),
    [
        ("It works.", (), ()),
        ("It works.", (GREEN,), (GREEN,)),
        ("It works.", (RED,), ()),
        (f"`{GREEN}` passes.", (), (GREEN,)),
        (f"{GREEN}, {RED}", (), ()),
        (f"{RED} passes", (GREEN,), ()),
        (f"{GREEN}_too passes", (), ()),
        ("tests/test_x.py::test_nowhere passes", (), ()),
    ],
)
def test_a_criterion_is_met_by_passing_tests_that_answer_it(
    text: str, claimed: tuple[str, ...], met_by: tuple[str, ...]
) -> None:
    """Those their writer names for it and those it names itself; where one it names fails, it is not verified."""
    written = tuple(NewTest(id=test, outcome="failed", criteria=("c1",)) for test in claimed)
    ran = suite({GREEN: "passed", RED: "failed"})
    (answer,) = bundles.answered([Criterion(id="c1", text=text)], written, ran)
    assert (answer.status, answer.met_by) == ("met" if met_by else "not verified", met_by)
