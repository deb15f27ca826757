"""The order in which planned work is carried out, over many plans."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.workflow import WorkItem
from orchestrator.workplan import is_test, waves, work_problem

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
