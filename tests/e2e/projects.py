"""Small projects of different shapes, each green but for one line that a bug puts in its place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.git_project import Project


@dataclass(frozen=True)
class Shape:
    """A project as it would be without a bug."""

    name: str
    files: dict[str, str]


@dataclass(frozen=True)
class Bug:
    """One line gone wrong, and the test that shows it."""

    kind: str
    shape: Shape
    file: str
    right: str
    wrong: str
    test: str

    def plant(self, root: Path) -> Project:
        """A checkout with the bug in its only commit."""
        project = Project(root)
        files = dict(self.shape.files)
        assert files[self.file].count(self.right) == 1, "a bug is in one place"
        files[self.file] = files[self.file].replace(self.right, self.wrong)
        project.commit(dict(files), "As it stands")
        return project


LIBRARY = Shape(
    "a package below src, tests in classes and parametrised",
    {
        "pyproject.toml": '[project]\nname = "loans"\nversion = "1"\n[tool.pytest.ini_options]\npythonpath = ["src"]\n',
        "src/loans/__init__.py": "from loans.desk import Desk\nfrom loans.fees import fee\n",
        "src/loans/fees.py": '''"""What keeping a book too long costs, in cents."""

FREE_DAYS = 14
PER_DAY = 25
MOST = 1000


def days_late(kept_days):
    late = kept_days - FREE_DAYS
    if late < 0:
        return 0
    return late


def fee(kept_days, *, child=False):
    late = days_late(kept_days)
    if child:
        late = late // 2
    return min(late * PER_DAY, MOST)
''',
        "src/loans/desk.py": '''from loans.fees import fee


class Desk:
    """Who has which book since which day."""

    def __init__(self):
        self.lent = {}
        self.owed = {}

    def lend(self, book, reader, day):
        if book in self.lent:
            raise ValueError(f"{book} is out")
        self.lent[book] = (reader, day)

    def take_back(self, book, day, child=False):
        reader, since = self.lent.pop(book)
        due = fee(day - since, child=child)
        if due:
            self.owed[reader] = self.owed.get(reader, 0) + due
        return due
''',
        "tests/test_fees.py": """import pytest

from loans import Desk, fee


@pytest.mark.parametrize(("days", "cents"), [(0, 0), (14, 0), (15, 25), (20, 150), (90, 1000)])
def test_fee(days, cents):
    assert fee(days) == cents


class TestDesk:
    def test_in_time_is_free(self):
        desk = Desk()
        desk.lend("Emma", "ann", 3)
        assert desk.take_back("Emma", 10) == 0
        assert desk.owed == {}

    def test_late_is_owed(self):
        desk = Desk()
        desk.lend("Emma", "ann", 3)
        desk.lend("Ulysses", "ann", 3)
        desk.take_back("Emma", 19)
        desk.take_back("Ulysses", 18)
        assert desk.owed == {"ann": 75}

    def test_children_pay_half(self):
        desk = Desk()
        desk.lend("Emma", "tim", 0)
        assert desk.take_back("Emma", 18, child=True) == 50

    def test_a_book_is_lent_once(self):
        desk = Desk()
        desk.lend("Emma", "ann", 3)
        with pytest.raises(ValueError):
            desk.lend("Emma", "tim", 4)
""",
    },
)

TRAILS = Shape(
    "flat modules, unittest",
    {
        "grid.py": """class Grid:
    def __init__(self, rows):
        self.rows = [list(row) for row in rows]
        self.height = len(self.rows)
        self.width = len(self.rows[0])

    def inside(self, x, y):
        return 0 <= x < self.width and 0 <= y < self.height

    def free(self, x, y):
        return self.inside(x, y) and self.rows[y][x] != "#"

    def neighbours(self, x, y):
        for dx, dy in ((1, 0), (0, 1), (-1, 0), (0, -1)):
            if self.free(x + dx, y + dy):
                yield x + dx, y + dy
""",
        "walk.py": '''from collections import deque


def distance(grid, start, goal):
    """Steps from start to goal, or None."""
    seen = {start}
    queue = deque([(start, 0)])
    while queue:
        place, steps = queue.popleft()
        if place == goal:
            return steps
        for following in grid.neighbours(*place):
            if following not in seen:
                seen.add(following)
                queue.append((following, steps + 1))
    return None
''',
        "test_walk.py": """import unittest

from grid import Grid
from walk import distance


class WalkTest(unittest.TestCase):
    def test_straight(self):
        self.assertEqual(distance(Grid(["...."]), (0, 0), (3, 0)), 3)

    def test_around_a_wall(self):
        self.assertEqual(distance(Grid([".#.", ".#.", "..."]), (0, 0), (2, 0)), 6)

    def test_no_way(self):
        self.assertIsNone(distance(Grid([".#."]), (0, 0), (2, 0)))

    def test_here(self):
        self.assertEqual(distance(Grid(["."]), (0, 0), (0, 0)), 0)

    def test_wide_grids(self):
        grid = Grid([".....", "#####"])
        self.assertTrue(grid.free(4, 0))
        self.assertFalse(grid.free(4, 1))
        self.assertFalse(grid.free(0, 2))


class GridTest(unittest.TestCase):
    def test_edges(self):
        grid = Grid(["..", ".."])
        self.assertFalse(grid.inside(2, 0))
        self.assertFalse(grid.inside(0, -1))
        self.assertTrue(grid.inside(1, 1))

    def test_neighbours(self):
        self.assertEqual(sorted(Grid(["..", ".#"]).neighbours(0, 0)), [(0, 1), (1, 0)])
""",
    },
)

TEXT = Shape(
    "functions, doctest-like tests and fixtures",
    {
        "setup.cfg": "[tool:pytest]\npython_files = check_*.py\ntestpaths = checks\npythonpath = .\n",
        "wrap/lines.py": '''def fill(words, width):
    """Words in lines of at most width characters."""
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines


def pad(text, width, sign=" "):
    return text + sign * (width - len(text))


def said(text, loud=False, quoted=False):
    if loud and not quoted:
        return text.upper()
    return text


def column(words, width):
    return [pad(line, width) for line in fill(words, width)]
''',
        "wrap/__init__.py": "",
        "checks/conftest.py": """import pytest


@pytest.fixture
def words():
    return "it was the best of times".split()
""",
        "checks/check_lines.py": """from wrap.lines import column, fill, pad, said


def test_lines_are_filled(words):
    assert fill(words, 11) == ["it was the", "best of", "times"]


def test_a_line_may_be_full(words):
    assert fill(words, 10) == ["it was the", "best of", "times"]


def test_long_words_stay_whole():
    assert fill(["incomprehensible", "a"], 5) == ["incomprehensible", "a"]


def test_pad():
    assert pad("ab", 4) == "ab  "
    assert pad("ab", 4, ".") == "ab.."


def test_what_is_loud_is_in_capitals():
    assert said("now", loud=True) == "NOW"
    assert said("now") == said("now", quoted=True) == "now"


def test_what_is_quoted_stays_as_it_is():
    assert said("now", loud=True, quoted=True) == "now"


def test_columns_are_straight(words):
    assert {len(line) for line in column(words, 12)} == {12}
""",
    },
)

BUGS = (
    Bug(
        "wrong operator",
        LIBRARY,
        "src/loans/fees.py",
        "late * PER_DAY",
        "late + PER_DAY",
        "tests/test_fees.py::test_fee[20-150]",
    ),
    Bug(
        "off by one",
        TEXT,
        "wrap/lines.py",
        "len(lines[-1]) + 1 + len(word) > width",
        "len(lines[-1]) + 2 + len(word) > width",
        "checks/check_lines.py::test_a_line_may_be_full",
    ),
    Bug(
        "wrong variable",
        TRAILS,
        "grid.py",
        "0 <= x < self.width",
        "0 <= x < self.height",
        "test_walk.py::WalkTest::test_straight",
    ),
    Bug(
        "missing condition",
        TEXT,
        "wrap/lines.py",
        "if loud and not quoted:",
        "if loud:",
        "checks/check_lines.py::test_what_is_quoted_stays_as_it_is",
    ),
    Bug(
        "swapped arguments",
        TEXT,
        "wrap/lines.py",
        "[pad(line, width) for line in fill(words, width)]",
        "[pad(line, width) for line in fill(width, words)]",
        "checks/check_lines.py::test_columns_are_straight",
    ),
)
