"""What a person sees and types: views, papers and the desk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from contracts.code_writer import Proposal, Tried
from contracts.diff import make
from contracts.gate import GateDecision, GateRequest, PatchSet, Subject
from contracts.patch import Patch
from contracts.sandbox import SandboxReport
from contracts.state import RunState, StepState
from contracts.task import Task
from contracts.test_runner import Evidence
from contracts.workflow import Budgets, Plan, WorkflowStep
from orchestrator.desk import TerminalDesk
from orchestrator.errors import Waiting
from orchestrator.papers import diff_text, paper
from orchestrator.text import count, duration, line, safe
from orchestrator.view import PlainView, picture, view_for

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVIL = "\x1b[2J\x1b]0;owned\x07 [bold]\u202egnorw[/bold]"


@given(st.text())
def test_safe_text_holds_nothing_that_commands_a_terminal(text: str) -> None:
    """No control or bidirectional character is left, whatever comes in; line ends and tabs stay."""
    shown = safe(text)

    assert all(char.isprintable() or char in "\n\t" for char in shown)
    assert not set(shown) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200b")
    assert len(line(text, 40)) <= 40
    assert "\n" not in line(text)


def test_ordinary_text_is_left_as_it_is() -> None:
    """Letters of any language, spaces and symbols are not touched."""
    assert safe("Größe 7,99 € — 大丈夫\n\tok") == "Größe 7,99 € — 大丈夫\n\tok"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.0 s"), (12.4, "12 s"), (59.9, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")],
)
def test_durations_are_said_as_people_say_them(seconds: float, said: str) -> None:
    """Units grow with the number."""
    assert duration(seconds) == said


def test_counts_agree_with_their_noun() -> None:
    """One test, two tests, two patches, thousands with separators."""
    assert [count(1, "test"), count(2, "test"), count(2, "patch"), count(1200, "call")] == [
        "1 test",
        "2 tests",
        "2 patches",
        "1,200 calls",
    ]


def run_state(*steps: StepState) -> RunState:
    return RunState(
        task=Task(run="r-abcd", workflow="fix-bug", repo="/x", request=EVIL),
        status="running",
        started_at=NOW,
        updated_at=NOW + timedelta(seconds=5),
        steps=steps,
    )


def step(name: str, **more: object) -> StepState:
    return StepState.model_validate({"step": name, "title": name.title(), "agent": "crew", "started_at": NOW, **more})


def drawn(what: object, width: int = 80) -> str:
    to = Console(file=StringIO(), width=width, force_terminal=False)
    to.print(what)
    assert isinstance(to.file, StringIO)
    return to.file.getvalue()


@pytest.mark.parametrize("width", [30, 80, 200])
def test_the_picture_fits_every_terminal(width: int) -> None:
    """No row is wider than the terminal; what runs shows its time and what its call says of itself."""
    done = step("ingest", status="done", ended_at=NOW + timedelta(seconds=2), summary="9 files")
    state = run_state(done, step("find/1"))

    shown = drawn(picture(state, NOW + timedelta(seconds=7), {"find/1/propose": "44 tried"}, width), width)

    assert all(len(row) <= width for row in shown.splitlines())
    assert "7.0 s" in shown
    assert "44 tried" in shown
    assert ("crew" in shown) == (width > 30)
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_a_pipe_gets_one_line_for_each_beginning_and_end() -> None:
    """Nothing is redrawn, nothing is said twice, and there are no escapes."""
    to = Console(file=StringIO(), width=80)
    view = view_for(to)
    assert isinstance(view, PlainView)
    begun = run_state(step("ingest"))
    ended = run_state(step("ingest", status="failed", ended_at=NOW + timedelta(seconds=3), summary=EVIL))

    for state in (begun, begun, ended, ended):
        view.show(state)

    assert isinstance(to.file, StringIO)
    rows = to.file.getvalue().splitlines()
    assert [row.split()[:2] for row in rows] == [["●", "Ingest"], ["✗", "Ingest"]]
    assert "\x1b" not in to.file.getvalue()
    assert rows[1].endswith("(3.0 s)")


def test_a_diff_shows_what_it_would_hide() -> None:
    """Escapes and direction overrides in a patch are visible as such."""
    shown = drawn(diff_text(make("a.py", "x = 1\n", f"x = 2  # {EVIL}\n")))

    assert "\\x1b[2J" in shown
    assert "\\u202e" in shown
    assert "[bold]" in shown


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


class Keyboard:
    """Types what it was given, then has no more."""

    def __init__(self, typed: Sequence[str], edited: str = "") -> None:
        self.typed = list(typed)
        self.edited = edited
        self.prompts: list[str] = []

    async def read_line(self, prompt: str) -> str:
        self.prompts.append(prompt)
        if not self.typed:
            raise EOFError
        return self.typed.pop(0)

    async def edit(self, text: str, ending: str) -> str:
        return self.edited or text


async def asked(subject: Subject, *typed: str, edited: str = "") -> tuple[GateDecision, Keyboard, str]:
    to, keyboard = Console(file=StringIO(), width=100), Keyboard(typed, edited)
    decision = await TerminalDesk(to, "ada", keyboard.read_line, keyboard.edit).ask(request(subject), "")
    assert isinstance(to.file, StringIO)
    return decision, keyboard, to.file.getvalue()


async def test_an_approval_names_what_was_shown() -> None:
    """The decision carries the subject's digest, who decided, and through which door."""
    decision, keyboard, shown = await asked(PATCHES, "a")

    assert (decision.verdict, decision.by, decision.via) == ("approve", "ada", "terminal")
    assert decision.subject_sha256 == PATCHES.digest()
    assert "+a <= b" in shown
    assert "Runners-up (1 other plausible patch)" in shown
    assert "[1] take a runner-up" in keyboard.prompts[0]


async def test_a_runner_up_can_be_chosen_by_its_number() -> None:
    """A number that is not on the desk is refused, and the question is put again."""
    decision, keyboard, shown = await asked(PATCHES, "2", "", "1")

    assert (decision.verdict, decision.choice) == ("approve", 1)
    assert "no `2` here" in shown
    assert len(keyboard.prompts) == 3


async def test_a_rejection_insists_on_a_reason() -> None:
    """Given with the key, or asked for."""
    at_once = (await asked(PATCHES, "r too clever"))[0]
    when_asked = (await asked(PATCHES, "r", "", "r", "too clever"))[0]

    assert (at_once.verdict, at_once.reason) == ("reject", "too clever")
    assert (when_asked.verdict, when_asked.reason) == ("reject", "too clever")


async def test_an_edited_diff_goes_on_in_place_of_the_shown_one() -> None:
    """What was not changed is not taken for an edit."""
    edited = make("shop.py", "a < b\n", "a <= b + 0\n")

    assert (await asked(PATCHES, "e", edited=edited))[0].diff == edited
    decision, _, shown = await asked(PATCHES, "e", "a")
    assert (decision.verdict, decision.diff) == ("approve", None)
    assert "Nothing was changed" in shown


async def test_an_edited_plan_is_read_back_and_a_broken_one_is_explained() -> None:
    """The plan is edited as JSON; what is no plan can be edited again or dropped."""
    changed = PLAN.model_copy(update={"fix_rounds": 0})

    assert (await asked(PLAN, "e", edited=changed.model_dump_json()))[0].plan == changed
    decision, _, shown = await asked(PLAN, "e", "n", "q", edited='{"kind": "plan"}')
    assert decision.verdict == "abort"
    assert "not a plan" in shown


@pytest.mark.parametrize("typed", [("l",), ()])
async def test_later_and_the_end_of_input_leave_the_gate_open(typed: tuple[str, ...]) -> None:
    """Nothing is decided by a person who is not there."""
    with pytest.raises(Waiting):
        await asked(PLAN, *typed)


def test_a_paper_shows_no_escape_of_the_repository() -> None:
    """Requests, test names and notes come from elsewhere."""
    plan = PLAN.model_copy(update={"request": EVIL, "failing": (EVIL,), "facts": (EVIL,)})

    assert "\x1b" not in drawn(paper(request(plan)))
