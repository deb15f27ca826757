"""The order in which planned work is carried out, over many plans."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.test_names import holds_tests, is_test
from contracts.workflow import WorkItem
from orchestrator.workplan import tree_problem, waves, work_problem

AGENTS = frozenset({"code_writer", "test_writer"})


@st.composite
def plans(draw: st.DrawFn) -> list[WorkItem]:
    """Work in which an item comes after some of those before it."""
    items: list[WorkItem] = []
    for number in range(draw(st.integers(1, 8))):
        tests = draw(st.booleans())
        earlier = [item.id for item in items if not tests or item.agent == "test_writer"]
        after = draw(st.lists(st.sampled_from(earlier), unique=True)) if earlier else []
        path = f"tests/test_{number}.py" if tests else f"src/m{number}.py"
        agent = "test_writer" if tests else "code_writer"
        items.append(WorkItem(id=f"i{number}", agent=agent, path=path, instruction="do", after=tuple(after)))
    return draw(st.permutations(items))


@given(plans())
def test_every_item_is_written_once_and_after_what_it_needs(work: list[WorkItem]) -> None:
    order = waves(work)
    place = {item.id: number for number, wave in enumerate(order) for item in wave}
    assert sorted(place) == sorted(item.id for item in work)
    assert sum(len(wave) for wave in order) == len(work)
    assert all(place[before] < place[item.id] for item in work for before in item.after)
    assert work_problem(work, AGENTS, ()) == ""


@given(plans())
def test_all_tests_come_before_all_code(work: list[WorkItem]) -> None:
    agents = [item.agent for wave in waves(work) for item in wave]
    assert agents == sorted(agents, reverse=True)


def test_a_circle_is_named() -> None:
    items = [
        WorkItem(id="a", agent="code_writer", path="a.py", instruction="do", after=("b",)),
        WorkItem(id="b", agent="code_writer", path="b.py", instruction="do", after=("a",)),
    ]
    assert "a, b" in work_problem(items, AGENTS, ())


def test_two_items_may_not_change_one_file_at_once() -> None:
    one = WorkItem(id="a", agent="code_writer", path="a.py", instruction="do")
    two = one.model_copy(update={"id": "b"})
    assert "at once" in work_problem([one, two], AGENTS, ())
    assert work_problem([one, two.model_copy(update={"after": ("a",)})], AGENTS, ()) == ""


def test_what_is_to_be_avoided_is_no_work() -> None:
    item = WorkItem(id="a", agent="code_writer", path="migrations/one.py", instruction="do")
    assert "not to be changed" in work_problem([item], AGENTS, ("migrations/",))
    assert work_problem([item.model_copy(update={"path": "migrations2/one.py"})], AGENTS, ("migrations",)) == ""


@pytest.mark.parametrize(
    ("path", "expected"),
    [("tests/test_a.py", True), ("pkg/tests/a.py", True), ("test_a.py", True), ("pkg/attest.py", False)],
)
def test_files_of_tests_are_known_by_their_names(path: str, expected: bool) -> None:
    assert is_test(path) is expected


def item(path: str) -> WorkItem:
    agent = "test_writer" if holds_tests(path) else "code_writer"
    return WorkItem(id="a", agent=agent, path=path, instruction="do")


@pytest.mark.parametrize("folder", ["", "shop/", "tests/"])
@pytest.mark.parametrize(
    "name",
    [
        *("podium.toml", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini", "setup.cfg"),
        *("conftest.py", "Conftest.py", "sitecustomize.py", "usercustomize.py", "forge.dist-info/entry_points.txt"),
    ],
)
def test_nobody_writes_what_decides_how_tests_run(folder: str, name: str) -> None:
    """In any folder: pytest reads the settings nearest to the tests, and Python what lies on its path."""
    assert "decides how tests run" in work_problem([item(folder + name)], AGENTS, ())


@pytest.mark.parametrize("path", ["tests/helpers.py", "tests/data.json", "tests/__init__.py", "test_data.json"])
@pytest.mark.parametrize("agent", ["test_writer", "code_writer"])
def test_what_is_neither_test_nor_code_is_nobodys_work(path: str, agent: str) -> None:
    """It is said before anything is written, because no writer would take it."""
    assert "nobody writes it" in work_problem([item(path).model_copy(update={"agent": agent})], AGENTS, ())


@pytest.mark.parametrize(
    "path", ["../a.py", "/a.py", "a//b.py", "shop/", ".GIT/config", ".gitmodules", "a\x07b.py", "a\\b.py", "a\nb.py"]
)
def test_a_name_that_no_patch_may_have_is_no_work(path: str) -> None:
    """Neither to be written nor to be read."""
    assert work_problem([item(path)], AGENTS, ())
    assert work_problem([item("b.py").model_copy(update={"reads": (path,)})], AGENTS, ())


FILES = ("stock.py", "shop/x.py", "queue.py")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("shop", "is a folder"),
        ("stock.py/x.py", "below stock.py, which is a file"),
        ("json.py", "in place of json"),
        ("src/pytest/__init__.py", "in place of pytest"),
        ("queue.py", ""),
        ("shop/json.py", ""),
        ("shop/y.py", ""),
        ("new/json.py", ""),
    ],
)
def test_work_has_to_fit_the_tree(path: str, words: str) -> None:
    """No folder, nothing below a file, and no new module in place of Python's or pytest's own."""
    problem = tree_problem([item(path)], FILES)
    assert words in problem if words else problem == ""


def test_work_has_to_fit_itself() -> None:
    """One item's file is no other's folder."""
    assert "which is a file" in tree_problem([item("a.py"), item("a.py/b.py")], FILES)
