"""`try_patches`: many candidates, each on its own, and none believed on the fast path's word alone."""

from __future__ import annotations

import pytest

from contracts.test_runner import Candidate, CandidateResult, TryPatchesParams
from servers.specialist import ToolError
from tests.test_runner.project import RUN, Asked, Project

SHOP = """
import functools
import os

RATE = 10


def table():
    return [n * RATE for n in range(3)]


PRICES = table()


def logged(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args) + 0

    return wrapper


class Basket:
    limit = 2

    def __init__(self):
        self.items = []

    def put(self, item):
        self.items.append(item)
        return len(self.items)


def total(basket):
    return sum(PRICES[item] for item in basket.items)


@logged
def discount(price, percent):
    return price + price * percent // 100
"""

TESTS = """
import unittest
import pytest
from shop import Basket, discount, total

@pytest.fixture
def basket():
    return Basket()

def test_put(basket, tmp_path):
    (tmp_path / "x").write_text("1")
    assert basket.put(1) == 1

def test_total(basket, caplog):
    basket.put(2)
    assert total(basket) == 20

def test_discount():
    assert discount(200, 10) == 180

@pytest.mark.parametrize("price", [0, 7])
def test_no_discount(price):
    assert discount(price, 0) == price

class Limits(unittest.TestCase):
    def test_limit(self):
        self.assertEqual(Basket.limit, 2)
"""

FAILING = "tests/test_shop.py::test_discount"
RIGHT = ("price + price", "price - price")


@pytest.fixture
def shop(project: Project) -> Project:
    """A shop whose discount makes things dearer."""
    project.file("shop.py", SHOP)
    project.file("tests/test_shop.py", TESTS)
    project.file("data/keep.txt", "kept")
    return project


def by_id(results: tuple[CandidateResult, ...]) -> dict[str, CandidateResult]:
    return {result.id: result for result in results}


async def test_candidates_are_told_apart_by_what_the_whole_suite_says(shop: Project) -> None:
    """Right, wrong, right for the failing test only, no Python, and a diff that does not apply."""
    put = ("return len(self.items)", "return 7")
    with shop.untouched():
        tried = await shop.try_(
            FAILING,
            {
                "right": shop.change("shop.py", RIGHT),
                "wrong": shop.change("shop.py", ("price + price", "price * price")),
                "regresses": shop.change("shop.py", RIGHT, put),
                "also_changes": shop.change(
                    "shop.py", ("price + price * percent // 100", "price - 20 if percent else price")
                ),
                "no_python": shop.change("shop.py", ("return price + price", "return price +* price")),
                "elsewhere": shop.change("shop.py", RIGHT).replace("percent // 100", "percent // 99"),
            },
        )
    results = by_id(tried.results)
    assert {name: result.outcome for name, result in results.items()} == {
        "right": "plausible",
        "wrong": "failing",
        "regresses": "regressed",
        "also_changes": "plausible",
        "no_python": "invalid",
        "elsewhere": "invalid",
    }
    assert results["regresses"].failed == ("tests/test_shop.py::test_put",)
    assert tried.baseline_failed == (FAILING,)
    evidence = results["right"].evidence
    assert evidence is not None
    assert (evidence.suite_passed, evidence.suite_failed, evidence.tests_through) == (6, 0, 2)
    assert (evidence.observed, evidence.calls_observed, evidence.calls_changed) == (True, 2, 0)


async def test_what_runs_on_import_is_reached_too(project: Project) -> None:
    """Module constants, class bodies, defaults, and functions whose result an import keeps."""
    project.file("shop.py", SHOP)
    project.file("test_shop.py", "import shop\ndef test_it(): assert (shop.PRICES[1], shop.Basket.limit) == (20, 3)\n")
    constant, body = ("RATE = 10", "RATE = 20"), ("limit = 2", "limit = 3")
    tried = await project.try_(
        "test_shop.py::test_it",
        {
            "half": project.change("shop.py", constant),
            "both": project.change("shop.py", constant, body),
            "kept_result": project.change("shop.py", ("n * RATE", "n * 20"), body),
            "raises": project.change("shop.py", constant, ("PRICES = table()", "PRICES = table(1)")),
        },
    )
    outcomes = {result.id: result.outcome for result in tried.results}
    assert outcomes == {"half": "failing", "both": "plausible", "kept_result": "plausible", "raises": "failing"}


async def test_a_closure_made_on_import_is_changed_in_place(shop: Project) -> None:
    """The wrapper a decorator left behind runs the candidate's code."""
    tried = await shop.try_(FAILING, {"wrapper": shop.change("shop.py", ("(*args) + 0", "(args[0], -args[1])"))})
    assert tried.results[0].outcome == "plausible"


async def test_a_hostile_candidate_never_spoils_the_next(shop: Project) -> None:
    """Hanging, dying, forking, flooding, deleting and killing its parent end that candidate only."""

    def does(what: str) -> str:
        return shop.change("shop.py", ("    return price + price", f"    {what}\n    return price + price"))

    with shop.untouched():
        tried = await shop.try_(
            FAILING,
            {
                "right_before": shop.change("shop.py", RIGHT),
                "hangs": does("while True: pass"),
                "swallows": does("import signal; signal.setitimer(signal.ITIMER_PROF, 0)\n    while True: pass"),
                "exits": does("os._exit(0)"),
                "segfaults": does("os.kill(os.getpid(), 11)"),
                "forks": does("[os.fork() for _ in range(6)]"),
                "daemon": does("os.fork() or os.setsid() or os.fork() or os.execvp('sleep', ['sleep', '999'])"),
                "floods": does("while True: os.write(1, b'x' * 100_000)"),
                "deletes": does(
                    "import shutil; [shutil.rmtree(each, True) for each in ('data', 'tests')]; os.unlink('shop.py')"
                ),
                "kills": does("os.kill(os.getppid(), 9)"),
                "right_after": shop.change("shop.py", RIGHT),
                "right_again": shop.change("shop.py", ("price + price", "price - 1 * price")),
            },
        )
    outcomes = {result.id: result.outcome for result in tried.results}
    assert {name for name, outcome in outcomes.items() if outcome == "plausible"} == {
        "right_before",
        "right_after",
        "right_again",
    }
    assert (outcomes["hangs"], outcomes["swallows"]) == ("hung", "hung")
    assert (outcomes["exits"], outcomes["segfaults"], outcomes["kills"]) == ("crashed", "crashed", "crashed")


async def test_files_a_candidate_or_a_test_damages_are_whole_for_the_next(project: Project) -> None:
    """Each candidate finds the tree as it is."""
    project.file("shop.py", "def value():\n    return 1\n")
    project.file("data.txt", "1")
    project.file(
        "test_shop.py",
        """
        import os, shop
        def test_it():
            assert open("data.txt").read() == "1" and not os.path.exists("left.txt")
            open("data.txt", "w").write("2")
            open("left.txt", "w").write("x")
            assert shop.value() == 2
        """,
    )
    edits = {f"c{n}": project.change("shop.py", ("1", str(2 if n in (6, 7) else n + 10))) for n in range(8)}
    tried = await project.try_("test_shop.py::test_it", edits)
    assert [result.id for result in tried.results if result.outcome == "plausible"] == ["c6", "c7"]


async def test_the_fast_path_alone_makes_nothing_plausible(project: Project) -> None:
    """A candidate that passes only where it was tried first is refuted by the plain run."""
    project.file("shop.py", "import sys\n\ndef value():\n    return 1\n")
    project.file("test_shop.py", "import shop\ndef test_it(): assert shop.value() == 2\n")
    cheat = project.change("shop.py", ("return 1", "return 2 if 'podium_inside.trial' in sys.modules else 1"))
    tried = await project.try_("test_shop.py::test_it", {"cheat": cheat})
    assert tried.results[0].outcome == "failing"


@pytest.mark.parametrize(
    ("file", "blind"),
    [
        ("conftest.py", "import os, sys\nif 'podium_inside.trial' in sys.modules: os._exit(3)\n"),
        (
            "test_more.py",
            "import os, sys, shop\ndef test_more():\n    shop.value()\n    if sys.gettrace(): os._exit(3)\n",
        ),
    ],
    ids=["no warm process", "dies when watched"],
)
async def test_where_nobody_could_watch_the_evidence_says_so(project: Project, file: str, blind: str) -> None:
    """The plain run calls it plausible; that no test runs through the change, and nothing changes, is not claimed."""
    project.file("shop.py", "def value():\n    return 1\n")
    project.file("test_shop.py", "import shop\ndef test_it(): assert shop.value() == 2\n")
    project.file(file, blind)
    right = project.change("shop.py", ("return 1", "return 2"))
    (tried,) = (await project.try_("test_shop.py::test_it", {"right": right})).results
    assert tried.outcome == "plausible"
    assert tried.evidence is not None
    assert not tried.evidence.observed


async def test_a_failing_test_that_hangs_can_be_repaired(project: Project) -> None:
    """A loop that never ends is a failure like another, without a candidate and with a wrong one."""
    project.file("loop.py", "def count(n):\n    i = 0\n    while i < n:\n        i += 0\n    return i\n")
    project.file(
        "test_loop.py",
        "import loop\ndef test_loop(): assert loop.count(3) == 3\ndef test_none(): assert loop.count(0) == 0\n",
    )
    tried = await project.try_(
        "test_loop.py::test_loop",
        {
            "still": project.change("loop.py", ("i += 0", "i -= 1")),
            "right": project.change("loop.py", ("i += 0", "i += 1")),
        },
    )
    assert [result.outcome for result in tried.results] == ["hung", "plausible"]


async def test_what_is_enough_ends_the_batch(shop: Project) -> None:
    """Candidates that were not reached are untried, in the order given."""
    edits = {
        f"c{n}": shop.change("shop.py", ("price + price", f"price - {n + 1} // {n + 1} * price")) for n in range(12)
    }
    edits |= {
        f"h{n}": shop.change("shop.py", ("    return price +", "    while True: pass\n    return price +"))
        for n in range(60)
    }
    tried = await shop.try_(FAILING, edits, enough=1)
    outcomes = [result.outcome for result in tried.results]
    assert "plausible" in outcomes[:12]
    assert outcomes[-1] == "untried"


@pytest.mark.parametrize(
    ("failing", "kind"), [("tests/test_shop.py::test_gone", "not_found"), ("tests/test_shop.py::test_put", "invalid")]
)
async def test_a_failing_test_that_is_not_there_or_does_not_fail_is_refused(
    shop: Project, failing: str, kind: str
) -> None:
    """Any candidate would be plausible for a test that passes."""
    params = TryPatchesParams(
        run=RUN, failing=(failing,), candidates=(Candidate(id="a", diff=shop.change("shop.py", RIGHT)),)
    )
    with pytest.raises(ToolError) as refused:
        await shop.runner.try_patches(params, Asked())
    assert refused.value.failure.kind == kind
