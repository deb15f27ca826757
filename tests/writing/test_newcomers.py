"""New code of a test file reaches no old test: by no name, by nothing that runs at import, by nothing left behind."""

from __future__ import annotations

import pytest

from servers.writing.intact import weakened

OLD = """import pytest
from fakes import Imported
from shop import area

CASES = [1, 2]
LIMITS = [3]
IDS = iter([1, 2])
SEEN = {}


@pytest.fixture(params=LIMITS)
def limit(request, client):
    return request.param


@pytest.mark.parametrize("n", CASES)
@pytest.mark.parametrize("limit", [1], indirect=["limit"])
def test_n(n, limit):
    assert area(n, 1) == n
    assert next(IDS) and not SEEN


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
    "a fixture only other fixtures ask for": "@pytest.fixture\ndef url():\n    return 'x'\n",
    "the same by a test's name": "@pytest.fixture(name='url')\ndef test_url():\n    return 'x'\n",
    "the same by an import": "from fakes import url\n",
    "a set-up by an import": "from random import seed as setup_module\n",
    "what everybody has": "from fakes import *\n",
    "all of Python's": "from os.path import *\n",
    "another meaning of old code": "from __future__ import annotations\n",
    "a constant a conftest.py may read": "port = 0\n",
    "an iterator gone through": "class New:\n    x = list(IDS)\n",
    "an iterator unpacked": "class New:\n    x = [*IDS]\n",
    "an iterator searched": "class New:\n    x = 1 in IDS\n",
    "an iterator shown": "class New:\n    x = f'{IDS}'\n",
    "an iterator as cases": "@pytest.mark.parametrize('n', IDS)\ndef test_a(n):\n    pass\n",
    "an iterator as a case": "@pytest.mark.parametrize('n, m', [IDS])\ndef test_a(n, m):\n    pass\n",
    "an iterator as names": "@pytest.mark.parametrize('n', [1], ids=IDS)\ndef test_a(n):\n    pass\n",
    "a function for names": "@pytest.mark.parametrize('n', [1], ids=lambda n: SEEN.clear())\ndef test_a(n): pass\n",
    "an iterator as a fixture's": "class New:\n    @pytest.fixture(params=IDS)\n    def x(self):\n        pass\n",
    "an element of an annotation": "def test_a(x: SEEN['x']):\n    pass\n",
    "cases made while collecting": "class New:\n    def pytest_generate_tests(self, metafunc):\n        SEEN.clear()\n",
    "the same by an import ": "class New:\n    from fakes import off as pytest_generate_tests\n",
    "an __init__": "class New:\n    def __init__(self):\n        SEEN.clear()\n",
    "an attribute that is looked up": "class New:\n    def __getattr__(self, name):\n        SEEN.clear()\n",
    "a property that is looked up": "class New:\n    @property\n    def x(self):\n        SEEN.clear()\n",
    "a base that acts on subclasses": "import enum\nclass New(enum.Enum):\n    pass\n",
    "a new base that does": "class New:\n    pass\n\nclass Other(New):\n    pass\n",
    "a mark of an old class": "@pytest.mark.skip(TestOne)\ndef test_a():\n    pass\n",
    "a mark with nothing unpacked": "@pytest.mark.skip(TestOne, **{})\ndef test_a():\n    pass\n",
    "an old test's attribute": "def test_a():\n    test_n.__test__ = False\n",
    "an old test by its name": "def test_a():\n    globals()['test_n'] = None\n",
    "an old name bound anew": "def test_a():\n    global area\n    area = max\n",
    "a set-up of Django's": "def setUpTestData():\n    pass\n",
}


@pytest.mark.parametrize("added", REACHES.values(), ids=REACHES.keys())
def test_what_new_code_runs_at_import_or_takes_is_found(added: str) -> None:
    """Each of these may change what an old test does."""
    assert weakened(OLD, OLD + END + added) != ()


CHANGED = {
    "a case that runs code": swap("CASES = [1, 2]", "CASES = [1, 2, area(1, 1)]"),
    "a case that is a name": swap("CASES = [1, 2]", "CASES = [1, 2, SEEN.clear]"),
    "a list that is used elsewhere": swap("LIMITS = [3]", "LIMITS = [3, 4]"),
    "indirect": swap('indirect=["limit"]', 'indirect=["limit", "n"]'),
    "an inherited helper": swap("self.check()\n", "self.check()\n\n    def helper(self):\n        pass\n"),
    "a test that may be inherited": OLD + "\n    def test_three(self):\n        assert area(3, 3)\n",
    "an attribute that may be inherited": OLD + "\n    strict = False\n",
    "what an old test leaves behind": swap("not SEEN\n", "not SEEN\n    SEEN.clear()\n"),
    "a test that runs before": swap(
        "class Base", "def test_0():\n    SEEN.clear()\n    assert area(1, 1)\n\n\nclass Base"
    ),
    "a class that runs before": swap(
        "class Base", "class TestNew:\n    def test_0(self):\n        pass\n\n\nclass Base"
    ),
}


@pytest.mark.parametrize("new", CHANGED.values(), ids=CHANGED.keys())
def test_what_grows_where_it_may_not_is_found(new: str) -> None:
    """More elements of a list, and more members of a class, may be less of a test."""
    assert weakened(OLD, new) != ()


def test_a_new_class_may_have_the_base_that_old_ones_have() -> None:
    """Django's, in a file that uses it; what it does with a subclass it has done before."""
    old = "from django.test import TestCase\n\n\nclass TestIt(TestCase):\n    def test_a(self):\n        assert f()\n"
    more = "\n\nclass TestMore(TestCase):\n    def test_b(self):\n        assert f()\n"
    assert weakened(old, old + more) == ()
    assert weakened(old, old + more.replace("(TestCase)", "(TestCase, metaclass=f)")) != ()


def test_a_list_of_cases_that_is_read_elsewhere_does_not_grow() -> None:
    """A test of its length would be another one."""
    also = OLD + "\n\ndef test_cases():\n    assert len(CASES) == 2\n"
    assert weakened(also, also.replace("CASES = [1, 2]", "CASES = [1, 2, 3]")) != ()


def test_a_name_that_is_bound_twice_is_no_list() -> None:
    """It may be an iterator by then."""
    new = "\n\n@pytest.mark.parametrize('n', CASES)\ndef test_a(n):\n    assert n\n"
    assert weakened(OLD, OLD + new) == ()
    assert weakened(OLD + "\n\nCASES = iter(CASES)\n", OLD + "\n\nCASES = iter(CASES)\n" + new) != ()


def test_a_list_of_marks_does_not_grow() -> None:
    """Its name is used nowhere, and yet every test of the file is marked by it."""
    old = "import pytest\npytestmark = [pytest.mark.slow]\n"
    assert weakened(old, old.replace("slow]", "slow, pytest.mark.skip]")) != ()


def test_a_list_of_a_class_with_bases_does_not_grow() -> None:
    """What a base class does with it is not known: Django's `fixtures` are loaded."""
    assert weakened(OLD, swap("rows = [1]", "rows = [1, 2]")) != ()


FINE = {
    "a class with what its tests need": "class TestNew:\n    SIZES = [1, 2]\n    limit: float = float('inf')\n\n"
    "    @pytest.fixture(autouse=True, params=[1, 2])\n    def url(self, request):\n        self.seen = SEEN\n\n"
    "    @pytest.fixture\n    def client(self):\n        return area(1, 1)\n\n"
    "    def test_new(self, client):\n        from shop import Order\n\n        assert Order(client)\n",
    "parameters": "@pytest.mark.parametrize('x', [pytest.param(1, id='one'), area])\ndef test_a(x): pass\n",
    "several": "@pytest.mark.parametrize('x, error', [(1, ValueError), (2, area)])\ndef test_a(x, error): pass\n",
    "made parameters": "@pytest.mark.parametrize('x', range(3), ids=str)\ndef test_a(x):\n    assert area(x, 1)\n",
    "texts": "@pytest.mark.parametrize('x', 'a b'.split())\ndef test_a(x):\n    assert area(x, 1)\n",
    "dates": "from datetime import date\n\n@pytest.mark.parametrize('x', [date(2024, 1, 1)])\ndef test_a(x): pass\n",
    "marks": "@pytest.mark.parametrize('x', [pytest.param(1, marks=pytest.mark.slow(1, 2))])\ndef test_a(x): pass\n",
    "drawn values": "from hypothesis import given, settings, strategies as st\n\n@settings(max_examples=3)\n"
    "@given(st.lists(st.integers()))\ndef test_a(x):\n    assert area(x, 1)\n",
    "types": "from pathlib import Path\n\ndef test_a(tmp_path: Path, x: list[int] | None = None) -> None: pass\n",
    "unittest's": "import unittest\n\nclass TestNew(unittest.TestCase):\n    def setUp(self):\n        area(1, 1)\n",
    "a class with an old base": "class TestNew(Base):\n    def test_new(self):\n        self.helper()\n",
}


@pytest.mark.parametrize("added", FINE.values(), ids=FINE.keys())
def test_plain_additions_are_fine(added: str) -> None:
    """What is only declared, or uses nothing but what it is given; a class holds its own."""
    assert weakened(OLD, OLD + END + added) == ()


def test_cases_and_their_names_may_grow() -> None:
    """A list that only `parametrize` reads."""
    assert weakened(OLD, swap("CASES = [1, 2]", "CASES = [1, 2, pytest.param(3)]")) == ()


ACTS = {
    "a patch": "import shop\nshop.area = max\n",
    "a patch in a class": "import shop\nclass TestNew:\n    shop.area = max\n",
    "a patch if need be": "import shop\nif True:\n    shop.area = max\n",
    "a patch in passing": "import shop\nfor shop.area in [max]:\n    pass\n",
    "a module": "import sys\nfrom unittest import mock\nsys.modules['shop'] = mock.Mock()\n",
    "an attribute": "import shop\nsetattr(shop, 'area', max)\n",
    "a started patch": "from unittest import mock\nmock.patch('shop.area').start()\n",
    "added in place": "from shop import ITEMS\nITEMS += [1]\n",
    "a plugin": "pytest_plugins = ['fakes']\n",
    "removed": "import shop\ndel shop.area\n",
}


@pytest.mark.parametrize("text", ACTS.values(), ids=ACTS.keys())
def test_a_new_file_does_nothing_when_it_is_imported(text: str) -> None:
    """All files are imported before the first test runs, those with old tests as well."""
    assert weakened(None, text + "\n\ndef test_a():\n    assert True\n") != ()


def test_a_new_file_declares_what_it_likes() -> None:
    """Fixtures, constants, names of the project, whatever they are made by; and where its code is."""
    text = """import sys
sys.path.insert(0, "src")
import pytest
from shop import app
try:
    import tomllib
except ImportError:
    tomllib = None
client, other = app.client(), 1
x: int = 1

@pytest.fixture(autouse=True)
def clean():
    app.reset()

class TestIt:
    \"\"\"Of it.\"\"\"
    pytestmark = pytest.mark.slow
    y = app.y()

if __name__ == "__main__":
    pytest.main()
"""
    assert weakened(None, text) == ()
    assert weakened("", text) == ()
