"""What a person sees: views and papers."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from contracts.diff import make
from contracts.patch import Patch
from contracts.state import RunState, StepState
from contracts.task import Task
from contracts.trace import trace_of_run
from contracts.workflow import RelevantFile
from orchestrator.cli.narration import Narrator
from orchestrator.papers import diff_text, paper
from orchestrator.text import count, duration, line, safe
from orchestrator.view import PlainView, picture, view_for
from tests.cli.subjects import NOW, PATCHES, PLAN, planned, request

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
        trace_id=trace_of_run("r-abcd"),
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


def test_a_step_that_did_not_bring_what_it_was_to_bring_is_never_ticked_off() -> None:
    """Live, in a log, and in the demo's words: a cross and the reason, or at least that it failed."""
    without = step("write", status="failed", ended_at=NOW + timedelta(seconds=1), summary="")
    told = without.model_copy(update={"step": "write/2", "summary": "shop.py: the model did not manage"})
    state = run_state(without, told)
    to = Console(file=StringIO(), width=80)

    PlainView(to).show(state)
    Narrator(to).show(state)

    assert isinstance(to.file, StringIO)
    for shown in (to.file.getvalue(), drawn(picture(state, NOW, {}, 80))):
        assert "✓" not in shown
        assert "✗" in shown
        assert "the model did not manage" in shown
    assert "✗ failed" in to.file.getvalue()


def test_a_diff_shows_what_it_would_hide() -> None:
    """Escapes and direction overrides in a patch are visible as such."""
    shown = drawn(diff_text(make("a.py", "x = 1\n", f"x = 2  # {EVIL}\n")))

    assert "\\x1b[2J" in shown
    assert "\\u202e" in shown
    assert "[bold]" in shown


LONG = "".join(make(f"m{n}.py", None, f"x = '{n:90d}'\n" * 1000) for n in range(100))
ONE_LINE = make("one.json", None, "x" * (9 << 20))


@pytest.mark.parametrize(("diff", "left"), [(LONG, "98,500 more lines"), (ONE_LINE, "2 more lines")])
def test_of_a_diff_that_nobody_reads_on_a_screen_the_beginning_is_shown(diff: str, left: str) -> None:
    """At a gate, too: what is left out is counted, named by its digest, and there for whoever wants it."""
    found = PATCHES.proposals[0].model_copy(update={"patch": Patch.of(diff, ("m0.py",))})
    subject = PATCHES.model_copy(update={"proposals": (found, found)})

    shown = drawn(paper(request(subject)))

    assert len(diff) > 9_000_000
    assert len(shown) < 1_000_000
    assert "+x" in shown
    said = " ".join(shown.split())
    assert said.count(left) == said.count(f"sha256 {found.patch.sha256}") == 2


def test_a_plan_shows_the_files_that_matter_and_what_each_writer_gets_to_see() -> None:
    """Who approves a plan sees what it rests on, and why."""
    (item,) = planned().work
    plan = planned().model_copy(
        update={
            "work": (item.model_copy(update={"reads": ("cart.py", "till.py")}),),
            "relevant": (RelevantFile(path="cart.py", why="It counts the pieces."),),
        }
    )

    shown = drawn(paper(request(plan)))

    assert "cart.py: It counts the pieces." in shown
    assert "reads: cart.py, till.py" in shown


def test_a_paper_shows_no_escape_of_the_repository() -> None:
    """Requests, test names and notes come from elsewhere."""
    plan = PLAN.model_copy(update={"request": EVIL, "failing": (EVIL,), "facts": (EVIL,)})

    assert "\x1b" not in drawn(paper(request(plan)))
