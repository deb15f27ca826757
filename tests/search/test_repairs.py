"""Repairs end to end: the real repository, the real test runner, the real sandbox."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from contracts import diff
from tests.search.together import Together, together

SHOP = """\
\"\"\"A small shop — größer als nötig.\"\"\"

RATES = {"book": 7, "toy": 19}


def gross(net, kind):
    rate = RATES[kind]  # percent
    return round(net + net * rate / 100, 2)


def fits(weight, limit):
    return weight < limit  # a full bag is allowed


def total(items, limit):
    kept = [item for item in items if fits(item[1], limit)]
    return sum(gross(net, kind) for net, _, kind in kept)
"""
TESTS = """\
from shop.till import fits, gross, total


def test_gross():
    assert gross(100, "book") == 107


def test_light():
    assert fits(1, 5)


def test_heavy():
    assert not fits(6, 5)


def test_full():
    assert fits(5, 5)


def test_total():
    assert total([(10, 1, "toy"), (100, 9, "book")], 5) == 11.9
"""
FULL = "tests/test_till.py::test_full"


@pytest.fixture
async def crew() -> AsyncGenerator[Together]:
    async with together() as made:
        yield made


async def test_a_boundary_is_repaired_in_a_file_with_windows_line_ends(crew: Together) -> None:
    """The first proposal is the right one; the file keeps its line ends, the tree is as it was."""
    wrong = SHOP.replace("\n", "\r\n")
    files = {"shop/__init__.py": "", "shop/till.py": wrong, "tests/test_till.py": TESTS}
    crew.write(files)
    result = await crew.propose((FULL,), budget_s=240)
    assert result.proposals, result.note
    best = result.proposals[0]
    (change,) = diff.parse(best.patch.diff)
    assert diff.apply(change, wrong) == wrong.replace("weight < limit", "weight <= limit")
    assert best.summary == "shop/till.py:12: operator `<` becomes `<=`"
    assert best.evidence.suite_passed == 5
    assert result.tried.candidates >= result.tried.plausible > 0
    found = {path.relative_to(crew.tree).as_posix() for path in crew.tree.rglob("*") if path.is_file()}
    assert found == set(files)
    assert (crew.tree / "shop/till.py").read_bytes() == wrong.encode()
    after = await crew.tests(best.patch.diff)
    assert after.outcome == "passed"


async def test_a_misspelt_name_is_found_by_the_traceback(crew: Together) -> None:
    """The suspect is the line the traceback ends on, and the nearest name repairs it."""
    text = SHOP.replace("net + net * rate / 100", "net + net * rat / 100").replace("weight < limit", "weight <= limit")
    crew.write({"shop/__init__.py": "", "shop/till.py": text, "tests/test_till.py": TESTS})
    result = await crew.propose(("tests/test_till.py::test_gross", "tests/test_till.py::test_total"), budget_s=240)
    assert (result.suspects[0].line, result.suspects[0].why) == (8, "traceback")
    assert result.proposals[0].summary == "shop/till.py:8: `rat` becomes `rate`"
