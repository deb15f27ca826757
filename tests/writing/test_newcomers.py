"""New code of a test file reaches no old test: not while it is imported, not by parameters, fixtures or classes."""

from __future__ import annotations

import pytest

from servers.writing.intact import weakened

OLD = """import pytest
from shop import area

CASES = [1, 2]
LIMITS = [3]


@pytest.fixture(params=LIMITS)
def limit(request):
    return request.param


@pytest.mark.parametrize("n", CASES)
@pytest.mark.parametrize("limit", [1], indirect=["limit"])
def test_n(n, limit):
    assert area(n, 1) == n


class Base:
    def helper(self):
        assert area(1, 1)


class TestOne(Base):
    cases = [1]

    def test_it(self):
        self.check()


class TestTwo(Imported):
    rows = [1]

    def test_two(self):
        assert area(2, 2)
"""
END = "\n\n"


def swap(before: str, after: str) -> str:
    assert OLD.count(before) == 1, before
    return OLD.replace(before, after)


REACHES = {
    "a call": "X = area(1, 2)\n",
    "a call of an old test's method": "X = test_n.__setattr__('__test__', False)\n",
    "a call in a class": "class New:\n    x = area(1, 2)\n",
    "a call in a comprehension": "X = [area(n, n) for n in CASES]\n",
    "a call in a default": "def test_a(x=area(1, 1)):\n    pass\n",
    "a call in a default of a lambda": "X = lambda x=area(1, 1): x\n",
    "a call in an annotation": "def test_a(x: area(1, 1)):\n    pass\n",
    "a decorator": "@area\ndef test_a():\n    pass\n",
    "a decorator with arguments": "@area(1)\ndef test_a():\n    pass\n",
    "a decorator of a method": "class New:\n    @area\n    def x(self):\n        pass\n",
    "functools.partial": "import functools\n@functools.partial(setattr, test_n, 'x')\ndef test_a():\n    pass\n",
    "a call of a call": "import re\nX = re.compile('x')(1)\n",
    "an allowed name that is another": "from fakes import Path\nX = Path('x')\n",
    "an allowed name bound here": "def frozenset():\n    pass\n\nX = frozenset()\n",
    "a fixture without a decorator": "patched = pytest.fixture(lambda: 1, autouse=True)\n",
    "a mark of an old test": "X = pytest.mark.skip(test_n)\n",
    "a mark of an old test, unpacked": "X = pytest.mark.skip(*[test_n])\n",
    "a mark of an old test by another name": "from pytest import mark as m\nX = m.skip(test_n)\n",
    "a mark of an old test by its own name": "skip = pytest.mark.skip\nX = skip(test_n)\n",
    "a mark in a decorator's arguments": "@pytest.mark.usefixtures(pytest.mark.skip(test_n))\ndef test_a(): pass\n",
    "a mark of an old test in a decorator": "@pytest.mark.skip(test_n)\ndef test_a():\n    pass\n",
    "a wrapped old function": "import functools\n@functools.lru_cache(area, False)\ndef new():\n    pass\n",
    "the same by a keyword": "import functools\n@functools.lru_cache(maxsize=area)\ndef new():\n    pass\n",
    "a static method of another": "@staticmethod(area)\ndef new():\n    pass\n",
    "an attribute in a class": "class New:\n    for area.limit in [0]:\n        pass\n",
    "an attribute deleted": "class New:\n    del area.limit\n",
    "an element": "class New:\n    for CASES[0] in [3]:\n        pass\n",
    "an element in a comprehension": "X = [0 for CASES[0] in [3]]\n",
    "added in place": "class New:\n    x = CASES\n    x += [1]\n",
    "a context": "class New:\n    with CASES:\n        pass\n",
    "a metaclass": "class New(metaclass=Base):\n    pass\n",
    "an __init_subclass__": "class New:\n    def __init_subclass__(cls):\n        pass\n",
    "a plugin's fixture": "@pytest.fixture\ndef anyio_backend():\n    return 1\n",
    "a plugin's fixture by an alias": "from pytest import fixture as f\n@f\ndef db():\n    return 1\n",
    "a plugin's fixture by name": "@pytest.fixture(name='monkeypatch')\ndef other():\n    return 1\n",
    "a fixture an old fixture asks for": "@pytest.fixture\ndef request():\n    return 1\n",
    "a fixture a conftest.py may have": "@pytest.fixture()\ndef client():\n    return 1\n",
    "an inherited helper in a new class": "class TestNew(Base):\n    def helper(self):\n        pass\n",
    "an assertion of unittest": "import unittest\nclass New(unittest.TestCase):\n    def assertEqual(self, *a): pass\n",
    "a set-up of Django's": "def setUpTestData():\n    pass\n",
}


@pytest.mark.parametrize("added", REACHES.values(), ids=REACHES.keys())
def test_what_new_code_runs_at_import_or_takes_is_found(added: str) -> None:
    """Each of these may change what an old test does."""
    assert weakened(OLD, OLD + END + added) != ()


CHANGED = {
    "a case that runs code": swap("CASES = [1, 2]", "CASES = [1, 2, area(1, 1)]"),
    "a list that is used elsewhere": swap("LIMITS = [3]", "LIMITS = [3, 4]"),
    "indirect": swap('indirect=["limit"]', 'indirect=["limit", "n"]'),
    "an inherited helper": swap("self.check()\n", "self.check()\n\n    def helper(self):\n        pass\n"),
    "a helper that may be inherited": OLD + "\n    def prepare(self):\n        pass\n",
    "an attribute that may be inherited": OLD + "\n    strict = False\n",
}


@pytest.mark.parametrize("new", CHANGED.values(), ids=CHANGED.keys())
def test_what_grows_where_it_may_not_is_found(new: str) -> None:
    """More elements of a list, and more members of a class, may be less of a test."""
    assert weakened(OLD, new) != ()


def test_the_bases_of_another_test_case_are_not_known() -> None:
    """Django's has assertions that unittest's does not have."""
    old = "from django.test import TestCase\n\n\nclass TestIt(TestCase):\n    def test_a(self):\n        assert f()\n"
    more = "\n    def assertContains(self, *a):\n        pass\n"
    assert weakened(old, old + more) != ()
    assert weakened(old.replace("django.test", "unittest"), old.replace("django.test", "unittest") + more) == ()


def test_a_list_of_marks_does_not_grow() -> None:
    """Its name is used nowhere, and yet every test of the file is marked by it."""
    old = "import pytest\npytestmark = [pytest.mark.slow]\n"
    assert weakened(old, old.replace("slow]", "slow, pytest.mark.skip]")) != ()


def test_a_list_of_a_class_with_bases_does_not_grow() -> None:
    """What a base class does with it is not known: Django's `fixtures` are loaded."""
    assert weakened(OLD, swap("rows = [1]", "rows = [1, 2]")) != ()


FINE = {
    "a class with fields": "from dataclasses import dataclass, field\n\n@dataclass(frozen=True)\nclass New:\n"
    "    x: list[int] = field(default_factory=list)\n",
    "constants": "import re\nfrom pathlib import Path\nX = re.compile('x')\nY = Path('a') / 'b'\nZ = {*range(3)}\n",
    "a text's method": "X = 'a b'.split()\n",
    "parameters": "@pytest.mark.parametrize('x', [pytest.param(1, id='one')])\ndef test_a(x):\n    assert area(x, 1)\n",
    "drawn values": "from hypothesis import given, settings, strategies as st\n\n@settings(max_examples=3)\n"
    "@given(st.integers())\ndef test_a(x):\n    assert area(x, 1)\n",
    "a fixture": "@pytest.fixture(scope='module')\ndef shelf():\n    return area(1, 1)\n",
    "methods": "class New:\n    @property\n    def x(self):\n        return area(1, 1)\n",
    "a test in a class with an unknown base": "    def test_three(self):\n        assert area(3, 3)\n",
    "a class with a base": "class TestNew(Base):\n    def test_new(self):\n        self.helper()\n",
}


@pytest.mark.parametrize("added", FINE.values(), ids=FINE.keys())
def test_plain_additions_are_fine(added: str) -> None:
    """What is only declared, or uses nothing but what it is given."""
    assert weakened(OLD, OLD + END + added) == ()


def test_cases_and_their_names_may_grow() -> None:
    """A list that only `parametrize` reads."""
    assert weakened(OLD, swap("CASES = [1, 2]", "CASES = [1, 2, pytest.param(3)]")) == ()
