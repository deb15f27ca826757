"""From a failing test to a branch, and everything a person can ask about it afterwards."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import TEST, Podium
from tests.git_project import Project


def test_a_headless_run_hands_over_a_branch_and_leaves_the_checkout_alone(
    kept: Podium, project: Project, tmp_path: Path
) -> None:
    """One JSON document on stdout, exit 0, a branch with a green suite; everything else is as it was.

    The run can then be listed, shown, watched, audited and its bundle copied.
    """
    project.write({"notes.txt": "not committed"})
    before = project.snapshot()
    criteria, link = tmp_path / "criteria.md", "https://example.invalid/tickets/7"
    criteria.write_text(f"- {TEST} passes\n- it is quick\n")

    done = kept.fix(
        project, "--auto", "all", "--criteria", str(criteria), "--link", link, "the last one cannot be sold"
    )

    assert done.code == 0, done.err
    state, bundle = done.document["state"], done.document["bundle"]
    run = state["task"]["run"]
    assert bundle["before"]["counts"]["failed"] == 1
    assert (bundle["after"]["outcome"], bundle["after"]["counts"]["passed"]) == ("passed", 4)
    assert [each["status"] for each in bundle["criteria"]] == ["met", "not verified"]
    assert bundle["links"] == [link]
    assert project.snapshot() == before
    assert project.git("show", f"podium/{run}:stock.py") != project.git("show", "main:stock.py")
    assert project.git("rev-list", "--count", f"main..podium/{run}").strip() == "1"
    assert not (kept.state / "work" / run / "tree").exists()

    assert kept("runs", "--json").document[0]["task"]["run"] == run
    assert kept("show", "last", "--json").document["state"]["status"] == "handed_over"
    assert f"bundle  {state['bundle']}\n" in kept("show", run[:6], env={"COLUMNS": "40"}).out
    assert kept("watch", "last").code == 0
    calls = kept("audit", "log", "--run", "last", "--kind", "call", "--json").document
    made = {each["call_id"] for each in calls if each["caller"] == "orchestrator"}
    assert made == {each["call_id"] for each in state["calls"]}
    assert {each["run"] for each in calls} == {run}
    assert {each["outcome"] for each in calls} == {"ok"}
    assert all(each["result_sha256"] and each["duration_ms"] > 0 for each in calls)
    assert [each["called_at"] for each in calls] == sorted(each["called_at"] for each in calls)

    told = kept("audit", "log", "--run", "last", "--kind", "gate,run", "--json").document
    gates = [(each["what"].partition("-")[0], each["outcome"]) for each in told if each["kind"] == "gate"]
    assert gates == [(gate, said) for gate in ("plan", "patches", "handoff") for said in ("opened", "approve")]
    assert [each["what"] for each in told if each["kind"] == "run"] == ["started", "handed-over"]
    granted = kept("audit", "log", "--kind", "grant", "--json").document
    assert {(each["server"], each["caller"]) for each in granted} >= {("repository", "operator"), ("model", "operator")}
    assert kept("audit", "stats", "--run", "last", "--signatures", "--json").document["by_kind"]["call"] == len(calls)
    one = kept("audit", "show", calls[0]["call_id"][:12], "--json").document
    assert [(each["what"], each["verified"]) for each in one["parts"]] == [("request", True), ("result", True)]
    assert calls[0]["call_id"] in kept("audit", "show", calls[0]["call_id"]).out
    table = tmp_path / "calls.csv"
    assert kept("audit", "log", "--kind", "call", "--run", run, "-o", str(table)).code == 0
    assert len(table.read_text(encoding="utf-8").splitlines()) == len(calls) + 1

    copied = kept("bundle", "last", "-o", str(tmp_path / "review"), "--json").document
    assert copied["files"] == ["branch.bundle", "bundle.json", "changes.patch", "summary.md"]
    assert kept("bundle", "last", "-o", str(tmp_path / "review")).code == 2

    pruning = ("gc", "--older-than", "0m", "--keep", "0", "--json")
    would = kept(*pruning, "--dry-run").document["runs"]
    assert Path(state["bundle"]).is_dir()
    assert would == kept(*pruning).document["runs"]
    files = {each["path"]: each["sha256"] for each in would[-1]["removed"]}
    assert (would[-1]["run"], files[f"bundles/{run}/bundle.json"]) == (run, state["bundle_sha256"])
    gone = kept("bundle", run, "-o", str(tmp_path / "again"))
    assert "was pruned by" in gone.err
    assert state["bundle_sha256"] in gone.err
    assert kept("replay", run, "--json").document["verdict"] == "identical"
    assert kept(*pruning).document["runs"] == []


def test_an_edit_from_elsewhere_that_is_refused_stays_in_its_file(
    kept: Podium, project: Project, tmp_path: Path
) -> None:
    """The error says what is wrong and where the text is; nothing is decided. Mended there, it is taken."""
    run = kept.fix(project).document["state"]["task"]["run"]
    plan = kept("show", run, "--json").document["gate"]["subject"]
    file, empty = tmp_path / "mine.json", tmp_path / "empty.diff"
    empty.touch()

    file.write_text(json.dumps({**plan, "failing": []}))
    refused = kept("approve", run, "--plan", str(file))
    file.write_text("{")
    broken = kept("approve", run, "--plan", str(file))
    nothing = kept("approve", run, "--diff", str(empty))
    file.write_text(json.dumps({**plan, "request": "sell the last one"}))
    taken = kept("approve", run, "--plan", str(file))

    assert [done.code for done in (refused, broken, nothing, taken)] == [1, 1, 1, 0]
    assert "has no failing test left" in refused.err
    assert f"What you wrote is in {file}" in refused.err
    assert f"{file} is no plan" in broken.err
    assert "takes no --diff" in nothing.err
    assert "→ Give --plan FILE" in nothing.err
    done = kept("resume", run, "--auto", "patches,handoff", "--json")
    assert done.code == 0, done.err
    assert done.document["state"]["gates"][0]["decision"]["plan"]["request"] == "sell the last one"


def test_a_run_that_needs_a_person_waits_and_goes_on_when_one_has_answered(kept: Podium, project: Project) -> None:
    """Not a terminal: exit 3 at the gate. An approval from elsewhere counts; `resume` goes on behind it."""
    waiting = kept.fix(project)

    assert waiting.code == 3, waiting.err
    run = waiting.document["state"]["task"]["run"]
    shown = kept("show", run, "--json").document["gate"]
    assert shown["subject"]["kind"] == "plan"
    assert kept("approve", run, "--sha256", "0123").code == 1
    assert kept("approve", run, "--sha256", shown["subject_sha256"]).code == 0
    assert "waits at no gate" in kept("approve", run).err

    done = kept("resume", run, "--auto", "patches,handoff", "--json")

    assert done.code == 0, done.err
    gates = done.document["state"]["gates"]
    assert [gate["decision"]["via"] for gate in gates] == ["command", "policy", "policy"]
    assert kept("resume", run, "--json").code == 0
    assert "nothing is to be decided" in kept("approve", run).err


def test_a_rejected_plan_ends_the_run_with_4(kept: Podium, project: Project) -> None:
    """The reason is kept with the run."""
    run = kept.fix(project).document["state"]["task"]["run"]

    assert kept("reject", run, "--reason", "leave the shop alone").code == 0
    ended = kept("resume", run, "--json")

    assert ended.code == 4, ended.err
    assert "leave the shop alone" in ended.document["state"]["reason"]
    assert project.git("branch", "--list", "podium/*") == ""


def test_an_aborted_run_is_cleaned_up(kept: Podium, project: Project) -> None:
    """`abort` ends a waiting run from elsewhere; nothing of it stays but its events."""
    run = kept.fix(project).document["state"]["task"]["run"]

    aborted = kept("abort", run, "--reason", "found it myself", "--json")

    assert aborted.document["status"] == "aborted"
    assert not (kept.state / "work" / run / "tree").exists()
    assert kept("watch", run).code == 4


def test_bad_input_gets_a_message_and_a_way_out(kept: Podium, project: Project, tmp_path: Path) -> None:
    """No traceback, the reason, what to do, and the exit code that fits."""
    elsewhere = Project(tmp_path / "empty")
    (tmp_path / "no repo").mkdir()
    answers = {
        "no repo": kept("run", "fix-bug", "--repo", str(tmp_path / "no repo"), "--test", TEST),
        "no folder": kept("run", "fix-bug", "--repo", str(tmp_path / "nowhere"), "--test", TEST),
        "no commit": kept.fix(elsewhere),
        "no base": kept.fix(project, "--base", "nothing"),
        "no test": kept.fix(project, "--auto", "all", test="tests/test_stock.py::test_nothing"),
        "green": kept.fix(project, "--auto", "all", test="tests/test_stock.py::test_some_can_be_sold"),
        "no run": kept("show", "r-nothing"),
    }
    project.write({"podium.toml": "[gates]\nplann = 'auto'\n"})
    answers["config"] = kept.fix(project)

    assert {name: done.code for name, done in answers.items()} == {
        "no repo": 2,
        "no folder": 2,
        "no commit": 1,
        "no base": 1,
        "no test": 1,
        "green": 1,
        "no run": 1,
        "config": 1,
    }
    assert [name for name, done in answers.items() if "Traceback" in done.err] == []
    assert "is not in a git repository" in answers["no repo"].err
    assert "No such test" in answers["no test"].document["state"]["reason"]
    assert "already green" in answers["green"].document["state"]["reason"]
    assert "gates.plann" in answers["config"].err
    assert "→" in answers["config"].err


def test_a_suite_that_does_not_collect_is_said(kept: Podium, project: Project) -> None:
    """The reason names the trouble, and nothing is proposed."""
    project.commit({"tests/test_stock.py": "import nothing_of_this_name\n\n\ndef test_x():\n    pass\n"})

    done = kept.fix(project, "--auto", "all", test="tests/test_stock.py::test_x")

    assert done.code == 1
    assert "nothing_of_this_name" in done.document["state"]["reason"]


def test_a_run_that_is_named_before_it_starts_keeps_the_name_for_itself(kept: Podium, project: Project) -> None:
    """A gateway promises its host a run by name: it begins under it, says who asked through what, and begins once."""
    begun = kept.fix(project, "--run", "r-mine1", "--via", "desk")
    assert begun.code == 3, begun.err
    task = begun.document["state"]["task"]
    assert (task["run"], task["by"].endswith(" via desk")) == ("r-mine1", True)

    again = kept.fix(project, "--run", "r-mine1")
    assert (again.code, "There is a run r-mine1 already" in again.err) == (2, True)
    assert kept.fix(project, "--run", "no/name").code == 1
    assert kept("abort", "r-mine1").code == 0
