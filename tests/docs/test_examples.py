"""The example projects are green by themselves, and the scripted replies to their tickets do what they say."""

from __future__ import annotations

import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from servers.writing.forms import changed
from tests.e2e.lendery_port_replies import CHOOSE_THE_PORT
from tests.e2e.lendery_replies import RETURN_A_BOOK
from tests.e2e.tickets import LENDERY, Change, Ticket

EXAMPLES = sorted(folder for folder in LENDERY.parent.iterdir() if (folder / "pyproject.toml").exists())

each_ticket = pytest.mark.parametrize("ticket", [RETURN_A_BOOK, CHOOSE_THE_PORT], ids=lambda ticket: ticket.name)


@pytest.fixture(params=EXAMPLES, ids=lambda folder: folder.name)
def example(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return copy_of(request.param, tmp_path)


def copy_of(folder: Path, to: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__", ".pytest_cache", ".ruff_cache")
    return Path(shutil.copytree(folder, to / folder.name, ignore=ignored))


def outcomes(project: Path, *arguments: str) -> dict[str, bool]:
    """Whether each test of `project` passed, by its function's or its parametrised name."""
    report = project / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", f"--junit-xml={report}", *arguments]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (0, 1), done.stdout
    cases = ElementTree.parse(report).iter("testcase")
    return {f"{case.get('classname')}.{case.get('name')}": not len(case) for case in cases}


def write(project: Path, change: Change) -> None:
    (project / change.path).write_text(change.new_text, encoding="utf-8")


def test_an_examples_suite_is_green_but_for_the_bug_it_shows(example: Path) -> None:
    """parcelpost has one, for the demo; the others have none."""
    bugs = {"parcelpost": {"tests.test_support_cases.test_two_kilos_of_flour_pay_for_two_kilos"}}
    ran = outcomes(example)
    assert len(ran) > 15
    assert {name for name, passed in ran.items() if not passed} == bugs.get(example.name, set[str]())


@each_ticket
def test_the_replies_to_a_ticket_are_red_before_and_green_after(ticket: Ticket, tmp_path: Path) -> None:
    """Tests first: each new one fails and no old one does; with the code all pass."""
    project = copy_of(LENDERY, tmp_path)
    old = outcomes(project)
    assert all(old.values())
    made = {item.id: ticket.changes[item.id] for item in ticket.plan.work}
    tests = [change for item in ticket.plan.work if (change := made[item.id]).tests]
    for change in tests:
        write(project, change)
    red = outcomes(project)
    names = {test.name for change in tests for test in change.tests}
    assert {name.partition("[")[0].rpartition(".")[2] for name, passed in red.items() if not passed} == names
    assert not any(red[name] for name in red.keys() - old.keys())
    assert all(red[name] for name in old)
    for change in made.values():
        if not change.tests:
            write(project, change)
    assert outcomes(project) == dict.fromkeys(red, True)


@each_ticket
def test_a_ticket_has_its_text_and_a_test_for_each_criterion(ticket: Ticket) -> None:
    """One criterion a line; the plan and the replies name the same files."""
    criteria = ticket.criteria.read_text(encoding="utf-8").splitlines()
    assert ticket.text.read_text(encoding="utf-8").strip()
    assert all(line.startswith("- ") and line.endswith(".") for line in criteria)
    answered = {each for change in ticket.changes.values() for test in change.tests for each in test.criteria}
    assert answered == {f"c{number}" for number in range(1, len(criteria) + 1)}
    assert {item.id: item.path for item in ticket.plan.work} == {
        name: change.path for name, change in ticket.changes.items()
    }
    known = {path.relative_to(LENDERY).as_posix() for path in LENDERY.rglob("*") if path.is_file()}
    assert {each.path for each in ticket.plan.relevant} <= known
    assert {path for item in ticket.plan.work for path in item.reads} <= known | {
        change.path for change in ticket.changes.values()
    }


@each_ticket
def test_each_reply_is_taken_for_the_text_it_means(ticket: Ticket) -> None:
    """In either form, by the code that reads a model's replies."""
    for change in ticket.changes.values():
        file = LENDERY / change.path
        old = file.read_text(encoding="utf-8") if file.exists() else None
        for form in ("blocks", "whole"):
            assert changed(change.reply(form), change.path, old).new == change.new_text
