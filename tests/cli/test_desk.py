"""What a person types at a gate, and what they edit there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from contracts.bundle import Commit
from contracts.diff import make
from contracts.gate import GateDecision, RefusedEdit, Subject
from orchestrator.desk import TerminalDesk
from orchestrator.errors import Waiting
from tests.cli.subjects import CHANGED, EDIT, PATCHES, PLAN, handover, planned, pretty, request


class Keyboard:
    """Types what it was given, then has no more; edits by what it was given, then leaves texts as they are."""

    def __init__(self, typed: Sequence[str], edits: Sequence[str] = ()) -> None:
        self.typed = list(typed)
        self.edits = list(edits)
        self.prompts: list[str] = []
        self.pages: list[str] = []

    async def read_line(self, prompt: str) -> str:
        self.prompts.append(prompt)
        if not self.typed:
            raise EOFError
        return self.typed.pop(0)

    async def edit(self, text: str, ending: str) -> str:
        self.pages.append(text)
        return self.edits.pop(0) if self.edits else text


NOWHERE = Path("/nowhere/to/keep/anything")


async def asked(subject: Subject, *typed: str, edits: Sequence[str] = ()) -> tuple[GateDecision, Keyboard, str]:
    to, keyboard = Console(file=StringIO(), width=100), Keyboard(typed, edits)
    desk = TerminalDesk(to, "ada", keyboard.read_line, keyboard.edit, NOWHERE)
    decision = await desk.ask(request(subject), "")
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


async def test_the_patches_gate_says_where_the_change_stands() -> None:
    """Patches that are to be chosen from are nowhere yet; what was written and tested is in the run's worktree."""
    written = PATCHES.model_copy(
        update={"commits": (Commit(step="apply/1/code", agent="code_writer", head="1" * 40, subject="Sell it"),)}
    )

    assert "None is applied yet" in (await asked(PATCHES, "a"))[2]
    shown = (await asked(written, "a"))[2]
    assert "is committed and tested in the run's own worktree" in " ".join(shown.split())
    assert "None is applied" not in shown


async def test_the_patches_gate_says_when_a_model_wrote_them() -> None:
    """Whoever decides should know before, not only from the bundle."""
    by_model = PATCHES.model_copy(update={"engine": "model"})

    assert "A model wrote" in (await asked(by_model, "a"))[2]
    assert "A model wrote" not in (await asked(PATCHES, "a"))[2]


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
    assert (await asked(PATCHES, "e", edits=[EDIT]))[0].diff == EDIT
    decision, _, shown = await asked(PATCHES, "e", "a")
    assert (decision.verdict, decision.diff) == ("approve", None)
    assert "Nothing was changed" in shown


@pytest.mark.parametrize(
    ("subject", "refused", "reason", "mended"),
    [
        (planned(), pretty(planned(agent="workspace")), "nobody may be given work as 'workspace'", pretty(CHANGED)),
        (planned(), pretty(planned(path="../shop.py")), "is no path inside the repository", pretty(CHANGED)),
        (planned(), pretty(planned(after=["code"])), "in a circle", pretty(CHANGED)),
        (planned(), "{", "it is no plan", pretty(CHANGED)),
        (PATCHES, "--- a/shop.py\n+++ b/shop.py\n@@ nowhere\n", "a hunk header that is none", EDIT),
        (PATCHES, EDIT.replace("a <= b + 0", "a \udcff b"), "it is not UTF-8", EDIT),
    ],
    ids=["agent", "path", "circle", "no plan", "no diff", "no text"],
)
async def test_an_edit_that_cannot_be_taken_comes_back_with_the_reason_on_top(
    subject: Subject, refused: str, reason: str, mended: str
) -> None:
    """The editor opens again with the person's own text; mended, with the reason left where it is, it is taken."""
    on_top = f"# a line of the person's own\n{mended}"

    decision, keyboard, _ = await asked(subject, "e", edits=[refused, on_top])

    assert decision.verdict == "modify"
    head, _, rest = keyboard.pages[1].partition("not read.\n")
    assert rest == refused
    assert reason in " ".join(line.removeprefix("# ") for line in head.splitlines())
    assert (decision.plan or decision.diff) == (CHANGED if decision.plan else EDIT)


async def test_an_edit_that_is_left_as_it_was_waits_on_the_desk_and_then_in_a_file(
    tmp_path: Path,
) -> None:
    """Back at the gate `e` opens the person's text, not the first one; who leaves the gate is told where it is kept."""
    keyboard, to = Keyboard(["e", "e", "l"], ["{ not json"]), Console(file=StringIO(), width=30)

    with pytest.raises(Waiting):
        await TerminalDesk(to, "ada", keyboard.read_line, keyboard.edit, tmp_path / "drafts").ask(request(PLAN), "")

    assert [page.endswith("{ not json") for page in keyboard.pages] == [False, True, True]
    (kept,) = (tmp_path / "drafts").iterdir()
    assert kept.read_text() == keyboard.pages[-1]
    assert isinstance(to.file, StringIO)
    assert f"kept in {kept}." in to.file.getvalue()


async def test_a_diff_that_did_not_apply_opens_again_at_the_desk_it_comes_from() -> None:
    """With the reason on top; at another desk it is shown, and edited only when somebody wants to."""
    keyboard, to = Keyboard(["e"], [EDIT]), Console(file=StringIO(), width=100)
    desk = TerminalDesk(to, "ada", keyboard.read_line, keyboard.edit, NOWHERE)
    await desk.ask(request(PATCHES), "")
    given_back = PATCHES.model_copy(update={"edit": RefusedEdit(diff=EDIT, reason="it is not in the file")})
    mended = make("shop.py", "a < b\n", "a <= b + 1\n")
    keyboard.edits = [mended]

    assert (await desk.ask(request(given_back), "")).diff == mended
    assert keyboard.pages[1].startswith("# This was not taken: it is not in the file\n")
    assert keyboard.pages[1].endswith(EDIT)
    decision, elsewhere, shown = await asked(given_back, "a")
    assert (decision.verdict, elsewhere.pages) == ("approve", [])
    assert "The edited diff does not apply: it is not in the file" in shown
    assert "+a <= b + 0" in shown


@pytest.mark.parametrize("typed", [("l",), (), ("r",)])
async def test_later_and_the_end_of_input_leave_the_gate_open(typed: tuple[str, ...]) -> None:
    """Nothing is decided by a person who is not there."""
    with pytest.raises(Waiting):
        await asked(PLAN, *typed)


class Ticking:
    """A handover whose change touches CI and a lock file, at a terminal."""

    def __init__(self, *typed: str) -> None:
        self.keyboard = Keyboard(typed)
        self.out = StringIO()
        desk = TerminalDesk(
            Console(file=self.out, width=100), "ada", self.keyboard.read_line, self.keyboard.edit, NOWHERE
        )
        self.ask = partial(desk.ask, request(handover(".github/workflows/ci.yml", "uv.lock")), "")


async def test_each_grave_risk_is_accepted_for_itself() -> None:
    """By its name, with what it is; the decision has the names."""
    at = Ticking("a", "y", "yes")
    decision = await at.ask()
    assert (decision.verdict, decision.accepts) == ("approve", ("dependencies", "automation"))
    assert "(automation)? [y]es  [n]o" in at.keyboard.prompts[2]
    assert "risk, to be accepted by name (automation): Changes automation" in at.out.getvalue()


async def test_a_risk_that_is_not_accepted_approves_nothing() -> None:
    """Whatever else was typed: the menu comes back."""
    at = Ticking("a", "y", "", "r too much")
    assert (await at.ask()).verdict == "reject"
    assert "Not approved." in at.out.getvalue()
