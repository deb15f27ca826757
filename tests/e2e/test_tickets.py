"""Tickets of an example service, from words to a branch: planned, tested first, written, judged, handed over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Podium
from tests.e2e.endpoint import Endpoint, endpoint
from tests.e2e.lendery_port_replies import CHOOSE_THE_PORT
from tests.e2e.lendery_replies import RETURN_A_BOOK
from tests.e2e.tickets import Ticket, told
from tests.e2e.tickets import lendery as make_lendery
from tests.git_project import Project
from tests.replay.recount import recount
from tests.replay.recount import told as told_by


@pytest.fixture
def lendery(tmp_path: Path) -> Project:
    """The service in a repository of its own."""
    return make_lendery(tmp_path / "lendery")


def ask(podium: Podium, project: Project, workflow: str, ticket: Ticket, found: Endpoint, *more: str) -> Any:
    done = podium(
        *(
            "run",
            workflow,
            "--repo",
            str(project.root),
            "--ticket",
            str(ticket.text),
            "--criteria",
            str(ticket.criteria),
        ),
        *("--link", "https://example.invalid/tickets/7", "--auto", "all", "--json", "--consent-weak", *more),
        env=found.env,
    )
    assert done.code == 0, done.err + done.out
    return done.document


def test_an_endpoint_is_added_as_the_ticket_says(fresh: Podium, lendery: Project, tmp_path: Path) -> None:
    """The article's first experiment: every criterion is met by a test, the suite is green, the branch is there."""
    with endpoint(tmp_path, told(RETURN_A_BOOK)) as found:
        document = ask(fresh, lendery, "add-endpoint", RETURN_A_BOOK, found)
        names = [asked["name"] for asked in found.requests()]
        replayed = fresh("replay", "last", "--json", env=found.env)
        assert (replayed.code, replayed.document["verdict"]) == (0, "identical"), replayed.err
        assert len(found.requests()) == len(names), "a replay asks nobody"
        first = str(found.requests()[0]["body"])
    exported = fresh("audit", "export", "--run", "last", "-o", "-")
    stats = fresh("stats", "last", "--json").document
    assert told_by(stats) == recount(exported.out.splitlines())
    bundle = document["bundle"]
    assert [each["status"] for each in bundle["criteria"]] == ["met"] * 5
    assert bundle["after"]["counts"]["failed"] == 0
    assert sorted(names) == ["change", "change", "plan", "tests"]
    assert "lendery/loans.py" in first, "the planner sees where endpoints like it are"
    run = document["state"]["task"]["run"]
    changed = lendery.git("diff", "--name-only", f"main...podium/{run}").split()
    assert changed == sorted(change.path for change in RETURN_A_BOOK.changes.values())
    log = lendery.git("log", "--format=%(trailers:key=Podium-Agent,valueonly)", f"main..podium/{run}").split()
    assert set(log) == {"test_writer", "code_writer"}


def test_code_that_fails_its_tests_is_mended_by_the_judges_words(
    fresh: Podium, lendery: Project, tmp_path: Path
) -> None:
    """A first version without the endpoint's checks; the judge says what is wrong, and the second holds."""
    item = next(each for each in RETURN_A_BOOK.plan.work if each.path == "lendery/loans.py")
    right = RETURN_A_BOOK.changes[item.id]
    idle = {
        "summary": "Say that a change was made",
        "blocks": [{"search": right.blocks[0].search, "replace": f"# later\n{right.blocks[0].search}"}],
    }
    judgement = {
        "decision": "retry",
        "reason": "There is no such route.",
        "changes": [{"item": item.id, "guidance": "Add the route POST /loans/{id}/return. KEYWORD-FROM-THE-JUDGE"}],
    }
    once = {"name": "change", "contains": f"In the file `{item.path}`:", "steps": [{"reply": idle}]}
    with endpoint(tmp_path, told(RETURN_A_BOOK, once, {"name": "judge", "steps": [{"reply": judgement}]})) as found:
        document = ask(fresh, lendery, "add-endpoint", RETURN_A_BOOK, found)
        asked = found.requests()
    metrics = document["state"]["metrics"]
    assert [each["name"] for each in asked].count("judge") == 1
    assert "KEYWORD-FROM-THE-JUDGE" in json.dumps(asked[-1]["body"])
    assert metrics["fix_rounds"] == 1
    assert metrics["spent"]["requests"] == len(asked)


def test_an_option_is_added_as_the_ticket_says(fresh: Podium, lendery: Project, tmp_path: Path) -> None:
    """add-option goes the same way."""
    with endpoint(tmp_path, told(CHOOSE_THE_PORT)) as found:
        document = ask(fresh, lendery, "add-option", CHOOSE_THE_PORT, found)
    assert [each["status"] for each in document["bundle"]["criteria"]] == ["met"] * 3
    summary = (Path(document["state"]["bundle"]) / "summary.md").read_text()
    assert "See https://example.invalid/tickets/7" in summary
    assert "| met |" in summary


def test_tests_are_written_for_what_is_there(fresh: Podium, lendery: Project, tmp_path: Path) -> None:
    """write-tests changes tests only, and they pass as they are written."""
    text = "def test_there_are_no_loans_at_first(library):\n    assert library.get('/loans').body == []\n"
    item = {"id": "more", "agent": "test_writer", "path": "tests/test_more.py", "instruction": "Pin down GET /loans."}
    reply = {"summary": "List loans", "text": text, "tests": [{"name": "test_there_are_no_loans_at_first"}]}
    said = {
        "rules": [
            {"name": "plan", "steps": [{"reply": {"goal": "More tests.", "work": [item]}}]},
            {"name": "tests", "steps": [{"reply": reply}]},
        ]
    }
    with endpoint(tmp_path, said) as found:
        done = fresh(
            *("run", "write-tests", "listing loans", "--repo", str(lendery.root), "--auto", "all", "--json"),
            *("--consent-weak",),
            env=found.env,
        )
    assert done.code == 0, done.err + done.out
    assert done.document["bundle"]["patch"]["files"] == ["tests/test_more.py"]
