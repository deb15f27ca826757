"""What lies on a desk in tests: a plan, patches, and the question about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from contracts.bundle import Bundle, Comparison, SuiteStatus
from contracts.code_writer import Proposal, Tried
from contracts.diff import make
from contracts.gate import GateRequest, PatchSet, Subject
from contracts.metrics import Metrics
from contracts.patch import Patch
from contracts.sandbox import SandboxReport
from contracts.test_runner import Counts, Evidence
from contracts.workflow import Budgets, Plan, WorkflowStep, WorkItem
from orchestrator.grave import grave_risks

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def request(subject: Subject) -> GateRequest:
    return GateRequest(
        run="r-abcd",
        gate="gate-1",
        subject_sha256=subject.digest(),
        subject=subject,
        opened_at=NOW,
        expires_at=NOW + timedelta(days=1),
    )


def proposal(new: str) -> Proposal:
    diff = make("shop.py", "a < b\n", new)
    found = Evidence(suite_passed=4, suite_failed=0, tests_through=2, calls_observed=3, calls_changed=1)
    return Proposal(patch=Patch.of(diff, ("shop.py",)), summary=f"becomes {new.strip()}", evidence=found)


PATCHES = PatchSet(
    run="r-abcd",
    round=1,
    head="0" * 40,
    proposals=(proposal("a <= b\n"), proposal("a != b\n")),
    engine="search",
    tried=Tried(
        candidates=9,
        plausible=2,
        failing=7,
        regressed=0,
        hung=0,
        crashed=0,
        invalid=0,
        degenerate=0,
        elapsed_s=1,
        per_s=9,
        ended="enough",
    ),
    sandbox=SandboxReport(level="full", backend="bubblewrap"),
)
PLAN = Plan(
    run="r-abcd",
    workflow="fix-bug",
    request="the last one cannot be sold",
    failing=("tests/test_x.py::test_y",),
    steps=(WorkflowStep(id="find", title="Find it", agent="code_writer"),),
    fix_rounds=2,
    budgets=Budgets(),
)


def handover(*paths: str) -> Bundle:
    """A result that changes these files."""
    status = SuiteStatus(outcome="passed", counts=Counts(passed=2), duration_s=1, sandbox="full")
    diff = "".join(make(path, "a\n", "b\n") for path in paths)
    return Bundle(
        run="r-abcd",
        workflow="fix-bug",
        request="the last one cannot be sold",
        repo="/shop",
        base="0" * 40,
        branch="podium/r-abcd",
        head="1" * 40,
        branch_sha256="2" * 64,
        commits=(),
        patch=Patch.of(diff, paths),
        added_lines=len(paths),
        removed_lines=len(paths),
        failing=PLAN.failing,
        before=status,
        after=status,
        comparison=Comparison(verdict="better", reason="It passes"),
        sandbox="full",
        summary="Sell the last one",
        risks=tuple(risk.words for risk in grave_risks(diff)),
        metrics=Metrics(),
    )


EDIT = make("shop.py", "a < b\n", "a <= b + 0\n")


def pretty(plan: Plan) -> str:
    return plan.model_dump_json(indent=2)


def planned(agent: str = "code_writer", path: str = "shop.py", after: Sequence[str] = ()) -> Plan:
    """A plan with one item of work."""
    item = WorkItem(id="code", agent=agent, path=path, instruction="Sell the last one.", after=tuple(after))
    steps = (WorkflowStep(id="write-code", title="Write", agent="code_writer", uses=("code_writer.write",)),)
    return PLAN.model_copy(update={"failing": (), "steps": steps, "work": (item,)})


CHANGED = planned().model_copy(update={"fix_rounds": 0})
