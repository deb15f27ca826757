"""Replay, export, figures, rework and forks, as people call them."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path

from tests.cli.conftest import Podium
from tests.e2e.rig import below, crew_of, house_of
from tests.git_project import Project
from tests.replay.recount import recount, told


def check_proof(kept: Podium, nowhere: Podium, file: Path, run: str) -> None:
    """What was exported is verified where no house has ever been, the ledger where it is; so when the notary died."""
    key = kept("audit", "key", "--json").document["notary"]
    verified = nowhere("audit", "verify", str(file), "--notary-key", key, "--json")
    assert (verified.code, verified.document["verified"]) == (0, True), verified.out
    assert verified.document["notary"] in nowhere("audit", "verify", str(file)).out
    other = nowhere("audit", "verify", str(file), "--notary-key", key.replace(key[9:12], "AAA"), "--json")
    assert (other.code, other.document["verified"]) == (1, False)
    cut = file.with_name("cut.jsonl")
    cut.write_text("".join(file.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")
    assert (nowhere("audit", "verify", str(cut)).code, nowhere("audit", "key").code) == (1, 1)

    whole = kept("audit", "verify", "--json")
    assert (whole.code, whole.document["run"], whole.document["withheld"]) == (0, "", 0), whole.out
    os.kill(notary_of(kept), signal.SIGKILL)
    assert kept("rework", run, "--merged", f"podium/{run}").code == 0
    assert kept("audit", "export", "--run", "last", "-o", str(cut), "--force").code == 0, "it is signed to its end"
    assert nowhere("audit", "verify", str(cut)).code == 0
    again = kept("audit", "verify", "--json").document
    assert (again["verified"], again["messages"]) == (True, whole.document["messages"] + 1)
    assert kept("audit", "verify", "--after", str(whole.document["checkpoint"])).code == 0


def notary_of(kept: Podium) -> int:
    """Who is of the house's program and no member; who is only passing (a fork, a late card) is waited out."""
    others: list[int] = []
    for _ in range(30):
        crew, house = set(crew_of(kept).values()), house_of(kept)
        others = [pid for pid, words in below(house).items() if "servers.house" in words and pid not in crew]
        if len(others) == 1:
            return others[0]
    raise AssertionError(others)


def test_a_run_can_be_replayed_exported_counted_compared_and_forked(
    kept: Podium, project: Project, tmp_path: Path
) -> None:
    """All of it from the ledger; the file alone replays where no house has ever been."""
    done = kept.fix(project, "--auto", "all", "--engine", "search", "the last one cannot be sold")
    assert done.code == 0, done.err
    run, file = done.document["state"]["task"]["run"], tmp_path / "run.jsonl"
    calls = len(done.document["state"]["calls"])

    replayed = kept("replay", run, "--json")
    assert replayed.code == 0, replayed.err
    assert (replayed.document["verdict"], replayed.document["calls"]) == ("identical", calls)
    assert "identical" in kept("replay", "last").out

    assert kept("audit", "export", "--run", run, "-o", str(file)).code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert kept("audit", "export", "--run", run, "-o", str(file)).code == 2
    assert kept("audit", "export", "--run", run, "-o", str(file), "--force").code == 0
    assert kept("audit", "export", "--run", run, "-o", "-").out == file.read_text(encoding="utf-8")
    nowhere = Podium(tmp_path / "nowhere")
    assert nowhere("replay", str(file), "--json").document == replayed.document
    assert not nowhere.state.exists()

    figures = kept("stats", run, "--json")
    assert figures.code == 0, figures.err
    assert told(figures.document) == recount(file.read_text(encoding="utf-8").splitlines())
    assert run in kept("stats", "--since", "1h").out
    assert kept("stats", run, "--since", "1h").code == 2
    assert kept("show", run, "--prompts", "--json").document == {"run": run, "prompts": [], "unread": 0}

    assert kept("rework", run, "--merged", f"podium/{run}", "--json").document["degree"] == "none"
    assert kept("rework", run, "--merged", "main", "--json").document["degree"] == "major"
    assert "has no commit" in kept("rework", run, "--merged", "nope").err
    assert kept("stats", run, "--json").document["runs"][0]["rework"] == "major"
    assert kept("replay", run, "--json").document["verdict"] == "identical"
    check_proof(kept, nowhere, file, run)
    assert not nowhere.state.exists()

    of_file = kept("replay", str(file), "--from", "apply")
    assert (of_file.code, "A file cannot be forked" in of_file.err) == (2, True)
    assert kept("replay", run, "--budget-calls", "1").code == 2
    assert "no step nothing; it has ingest" in kept("replay", run, "--from", "nothing").err
    budgets = ("--budget-tokens", "2k", "--budget-calls", "3", "--budget-minutes", "9")
    forked = kept("replay", run, "--from", "apply", "--auto", "all", *budgets, "--json")
    assert forked.code == 0, forked.err
    assert "4 answers taken over" in forked.err
    new = forked.document["state"]["task"]["run"]
    began = kept("audit", "export", "--run", new, "-o", "-").out
    assert all(f'\\"{named}' in began for named in ('tokens\\":2000', 'calls\\":3', 'wall_s\\":540'))
    assert project.git("show", f"podium/{new}:stock.py") == project.git("show", f"podium/{run}:stock.py")
    assert {each["server"] for each in forked.document["state"]["calls"]}.isdisjoint({"code_writer", "repository"})
    assert kept("replay", new, "--json").document["verdict"] == "identical"
