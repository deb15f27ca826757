"""People at gates: at the terminal, from elsewhere, several at once."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import TEST, Done, Podium
from tests.e2e.rig import files_left, fixing, run_of
from tests.e2e.terminal import Terminal, at_a_terminal
from tests.git_project import Project


def fixing_by_hand(project: Project, *more: str) -> tuple[str, ...]:
    return ("run", "fix-bug", "--repo", str(project.root), "--test", TEST, "--consent-weak", *more)


def gates_of(podium: Podium, run: str) -> list[dict[str, Any]]:
    gates: list[dict[str, Any]] = podium("show", run, "--json").document["state"]["gates"]
    return gates


def test_three_approvals_at_the_terminal_hand_a_branch_over(kept: Podium, project: Project) -> None:
    """Plan, patches and handover are shown, each with its question; approving each ends with 0."""
    with at_a_terminal(kept, *fixing_by_hand(project)) as terminal:
        assert "Nothing has been changed yet" in terminal.until("[a]pprove")
        terminal.type("a")
        assert "wanted <= self.pieces" in terminal.until("take a runner-up")
        terminal.type("a")
        terminal.until("Gate 3: the handover")
        terminal.until("[a]pprove")
        terminal.type("a")
        assert terminal.end() == 0, terminal.shown
    run = run_of(kept)
    assert [gate["decision"]["via"] for gate in gates_of(kept, run)] == ["terminal"] * 3
    assert project.git("show", f"podium/{run}:stock.py").count("wanted <= self.pieces") == 1


def test_a_diff_that_is_edited_is_the_one_that_is_applied(kept: Podium, project: Project, tmp_path: Path) -> None:
    """`e` opens the editor; what it leaves is checked, applied, tested and handed over."""
    env = _editor(tmp_path, "not wanted > self.pieces")
    with at_a_terminal(kept, *fixing_by_hand(project, "--auto", "plan,handoff"), env=env) as terminal:
        terminal.until("[e]dit")
        terminal.type("e")
        assert terminal.end() == 0, terminal.shown
    run = run_of(kept)
    (decision,) = [gate["decision"] for gate in gates_of(kept, run) if gate["decision"]["via"] == "terminal"]
    assert decision["verdict"] == "modify"
    assert "if not wanted > self.pieces" in project.git("show", f"podium/{run}:stock.py")
    assert "4 passed" in terminal.shown


def test_an_edited_diff_that_breaks_a_test_is_not_handed_over(kept: Podium, project: Project, tmp_path: Path) -> None:
    """The edit is tested like any patch: what it breaks is said, and the next question is asked."""
    env = _editor(tmp_path, "wanted >= self.pieces")
    with at_a_terminal(kept, *fixing_by_hand(project, "--auto", "plan"), env=env) as terminal:
        terminal.until("[e]dit")
        terminal.type("e")
        terminal.until("> ")
        _leave(terminal)
    run = run_of(kept)
    assert kept("abort", run).code == 0
    assert project.git("branch", "--list", "podium/*") == ""


def test_a_diff_that_does_not_apply_opens_again_in_the_editor(kept: Podium, project: Project, tmp_path: Path) -> None:
    """With the person's text and the reason; mended there, it is applied, in the same round."""
    program = tmp_path / "editor.py"
    program.write_text(
        "import pathlib, sys\n"
        "file = pathlib.Path(sys.argv[1])\n"
        "text = file.read_text()\n"
        "if text.startswith('# This was not taken:'):\n"
        "    text = text.replace('wanted < their.pieces', 'wanted < self.pieces')\n"
        "else:\n"
        "    text = text.replace('wanted < self.pieces', 'wanted < their.pieces')\n"
        "file.write_text(text.replace('wanted <= self.pieces', 'not wanted > self.pieces'))\n"
    )
    env = {"EDITOR": f"'{sys.executable}' '{program}'", "VISUAL": ""}
    with at_a_terminal(kept, *fixing_by_hand(project, "--auto", "plan,handoff"), env=env) as terminal:
        terminal.until("[e]dit")
        terminal.type("e")
        assert terminal.end() == 0, terminal.shown
    assert "The edited diff does not apply" in terminal.shown
    run = run_of(kept)
    assert [gate["gate"] for gate in gates_of(kept, run)] == ["plan", "patches-1", "patches-1-edit-1", "handoff"]
    assert "if not wanted > self.pieces" in project.git("show", f"podium/{run}:stock.py")


def _editor(folder: Path, condition: str) -> dict[str, str]:
    """An editor that puts `condition` in the place of the proposed one."""
    program = folder / "editor.py"
    program.write_text(
        "import pathlib, sys\n"
        "file = pathlib.Path(sys.argv[1])\n"
        f"file.write_text(file.read_text().replace('wanted <= self.pieces', {condition!r}))\n"
    )
    return {"EDITOR": f"'{sys.executable}' '{program}'", "VISUAL": ""}


def _leave(terminal: Terminal) -> None:
    terminal.type("l")
    assert terminal.end() == 3, terminal.shown


def test_a_gate_at_the_terminal_may_be_answered_from_elsewhere(kept: Podium, project: Project) -> None:
    """While the question stands at the terminal, an approval from another process counts, and the run goes on."""
    with at_a_terminal(kept, *fixing_by_hand(project, "--auto", "patches,handoff")) as terminal:
        terminal.until("[a]pprove")
        assert kept("approve", run_of(kept)).code == 0
        assert terminal.end() == 0, terminal.shown
    run = run_of(kept)
    assert [gate["decision"]["via"] for gate in gates_of(kept, run)] == ["command", "policy", "policy"]


def test_a_rejection_with_its_reason_makes_another_round(kept: Podium, project: Project) -> None:
    """What was shown and turned down is not proposed again; where nothing else is plausible, that is said."""
    assert kept(*fixing(project, "--auto", "plan,handoff")).code == 3
    run = run_of(kept)
    assert kept("reject", run, "--reason", "it reads badly").code == 0

    again = kept("resume", run, "--json")

    assert again.code == 1, again.err
    state = again.document["state"]
    assert "not turned down before" in state["reason"]
    (turned_down,) = [each for each in state["gates"] if each["decision"]["verdict"] == "reject"]
    assert turned_down["decision"]["reason"] == "it reads badly"
    assert [step["title"] for step in state["steps"]].count("Look for plausible patches") == 2


def test_of_several_who_answer_at_once_one_counts(kept: Podium, project: Project) -> None:
    """Whoever is first decides; each of the others is told so, and the run goes by the one that counts."""
    assert kept(*fixing(project, "--auto", "patches,handoff")).code == 3
    run = run_of(kept)
    ways = ["approve", "reject", "approve", "reject"]

    def answer(way: str) -> Done:
        return kept(way, run, *(["--reason", "not so"] if way == "reject" else []))

    with ThreadPoolExecutor(len(ways)) as pool:
        answers = list(pool.map(answer, ways))

    assert sorted(each.code for each in answers) == [0, 1, 1, 1], [each.err for each in answers]
    won = next(way for way, each in zip(ways, answers, strict=True) if each.code == 0)
    assert kept("resume", run, "--json").code == (0 if won == "approve" else 4)
    assert gates_of(kept, run)[0]["decision"]["verdict"] == won


@pytest.mark.parametrize("words", ["q", "r not this way"])
def test_a_plan_that_is_turned_down_at_the_terminal_ends_the_run(words: str, kept: Podium, project: Project) -> None:
    """Exit 4; nothing stays but the record."""
    with at_a_terminal(kept, *fixing_by_hand(project)) as terminal:
        terminal.until("[a]pprove")
        terminal.type(words)
        assert terminal.end() == 4, terminal.shown
    assert project.git("branch", "--list", "podium/*") == ""
    assert [path for path in files_left(kept) if run_of(kept) in path] == []
