"""What a candidate changes in a running program: which functions to swap, and when only an import tells."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from servers.testing.podium_inside.codes import NeedsImport, changed
from servers.testing.podium_inside.mending import Mender
from servers.testing.podium_inside.request import Splice
from servers.testing.podium_inside.segments import Invalid, Source, compiled
from tests.test_runner.project import Project

KINDS = """
import dataclasses
import functools

CONSTANT = 1 - 1

class Body:
    value = 2 - 2

@dataclasses.dataclass
class Point:
    x: int = 3 - 3

def decorator(function):
    @functools.wraps(function)
    def wrapper():
        return function() + 4 - 4
    return wrapper

@decorator
def decorated():
    return 5 - 5

def make(number):
    def closure():
        return number + 6 - 6
    return closure

kept = make(0)

def table():
    return 20 - 20

TABLE = table()

def nested():
    def inner():
        return 7 - 7
    return inner()

def generated():
    yield 8 - 8

async def awaited():
    return 9 - 9

async def streamed():
    yield 10 - 10

def defaulted(value=11 - 11):
    return value

class Shape:
    @property
    def sides(self):
        return 12 - 12

    @staticmethod
    def flat():
        return 13 - 13

    @classmethod
    def named(cls):
        return 14 - 14

class Round(Shape):
    def __call__(self):
        return super().sides + 15 - 15

@functools.lru_cache(None)
def cached():
    return 16 - 16

listed = [lambda: 17 - 17]

def comprehended():
    return sum(n + 18 - 18 for n in [0])

def local_class():
    class Local:
        def method(self):
            return 19 - 19
    return Local().method()
"""

USER = """
import asyncio
from kinds import (CONSTANT, TABLE, Body, Point, Round, Shape, awaited, cached, comprehended, decorated, defaulted,
                   generated, kept, listed, local_class, nested, streamed)

async def waited():
    return await awaited() + sum([value async for value in streamed()])

def total():
    shape = Shape()
    return (CONSTANT + TABLE + Body.value + Point().x + decorated() + kept() + nested() + sum(generated()) + defaulted()
            + asyncio.run(waited()) + shape.sides + shape.flat() + shape.named() + Round()() - shape.sides
            + cached() + listed[0]() + comprehended() + local_class())
"""


async def test_every_kind_of_code_is_reached_where_other_modules_imported_it_by_name(project: Project) -> None:
    """The sum is right with any one place changed by one, and wrong with it changed by two."""
    project.file("kinds.py", KINDS)
    project.file("user.py", USER)
    project.file("test_user.py", "from user import total\ndef test_total(): assert total() == 1\n")
    places = [n for n in range(1, 21) if n != 12]  # `sides` is added and taken off again
    one = {f"one {n}": project.change("kinds.py", (f"{n} - {n}", f"{n + 1} - {n}")) for n in places}
    two = {f"two {n}": project.change("kinds.py", (f"{n} - {n}", f"{n + 2} - {n}")) for n in (1, 2, 4, 7, 9, 16)}
    tried = await project.try_("test_user.py::test_total", {**one, **two})
    wrong = {each.id: each.outcome for each in tried.results if (each.outcome == "plausible") != (each.id in one)}
    assert wrong == {}
    assert len(one) == 19


@pytest.mark.parametrize(
    ("old", "new", "swapped"),
    [
        ("def f():\n    return 1\n", "def f():\n    return 2\n", ["f"]),
        ("def f():\n    return 1\n", "def f():\n    return True\n", ["f"]),
        ("def f():\n    return 0.0\n", "def f():\n    return -0.0\n", ["f"]),
        ("def f():\n    return (1, 2)\n", "def f():\n    return (1, 2.0)\n", ["f"]),
        ("def f():\n  def g():\n    return 1\n  g()\n", "def f():\n  def g():\n    return 2\n  g()\n", ["f", "g"]),
        ("class A:\n    def f(self):\n        return 1\n", "class A:\n    def f(self):\n        return 2\n", ["f"]),
        ("def f(x):\n    return [y + 1 for y in x]\n", "def f(x):\n    return [y + 2 for y in x]\n", ["f"]),
        ("f = lambda: 1\n", "f = lambda: 2\n", ["<lambda>"]),
        ("def f():\n    return 1\n", "def f():\n\n    return 1\n", []),
    ],
)  # fmt: skip
def test_the_functions_to_swap_are_those_that_differ_outer_ones_first(old: str, new: str, swapped: list[str]) -> None:
    """Types and signs of constants count, line numbers do not."""
    pairs = changed(compiled(old, "it.py"), compiled(new, "it.py"))
    assert [pair[0].co_name for pair in pairs] == swapped
    assert [pair[1].co_name for pair in pairs] == swapped


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x = 1\n", "x = 2\n"),
        ("def f(a=1):\n    pass\n", "def f(a=2):\n    pass\n"),
        ("class A:\n    x = 1\n", "class A:\n    x = 2\n"),
        ("@g(1)\ndef f():\n    pass\n", "@g(2)\ndef f():\n    pass\n"),
        ("x = [y + 1 for y in z]\n", "x = [y + 2 for y in z]\n"),
        ("def f(a):\n    pass\n", "def g(a):\n    pass\n"),
    ],
)
def test_what_ran_on_import_needs_an_import(old: str, new: str) -> None:
    """Module and class bodies, defaults, decorators, names."""
    with pytest.raises(NeedsImport):
        changed(compiled(old, "it.py"), compiled(new, "it.py"))


HARD = '''"""Odd on purpose."""
import functools

@functools.cache
def first(a):  # é
    return (
        a + 1
    )

class Second:
    text = """
    # not a comment
    """

    def method(self): return 2

def third(): return 3; x = 1
async def fourth():
    return 4
if True:
    def fifth():
        return 5
'''


def test_compiling_one_definition_says_the_same_as_compiling_the_file() -> None:
    """For each number of a module full of oddities: the same functions differ, at the same lines."""
    source = Source("it.py", HARD)
    numbers = [node for node in ast.walk(ast.parse(HARD)) if isinstance(node, ast.Constant) and type(node.value) is int]
    starts = [0, *(at + 1 for at, char in enumerate(HARD) if char == "\n")]
    seen = 0
    for node in numbers:
        start = starts[node.lineno - 1] + len(HARD.split("\n")[node.lineno - 1].encode()[: node.col_offset].decode())
        splice = Splice("it.py", start, start + 1, "77")
        source.prepare(splice)
        ours = changed(*source.sides(splice))
        whole = changed(compiled(HARD, "it.py"), compiled(splice.apply(HARD), "it.py"))
        assert [(old, new) for old, new in ours] == [(old, new) for old, new in whole]
        seen += bool(ours)
    assert seen >= 5


def test_a_candidate_that_spills_out_of_its_definition_is_compiled_with_the_file() -> None:
    """An open string would swallow what follows: the file as a whole decides."""
    source = Source("it.py", HARD)
    start = HARD.index("return 4")
    splice = Splice("it.py", start, start + 8, 'return """')
    source.prepare(splice)
    with pytest.raises(Invalid):
        source.sides(splice)


def test_every_kind_of_damage_to_a_tree_is_mended(tmp_path: Path) -> None:
    """Written, truncated, removed, replaced, re-linked, moved, re-moded and added files and folders."""
    root = tmp_path / "tree"
    (root / "a/b").mkdir(parents=True)
    for name in ("written", "same_size", "removed", "becomes_folder", "mode", "a/b/deep", "moved"):
        (root / name).write_text(f"text of {name}")
    (root / "link").symlink_to("written")
    (root / "closed/inner").mkdir(parents=True)
    (root / "closed/inner/file").write_text("inner")

    def snapshot() -> dict[str, tuple[int, str]]:
        found: dict[str, tuple[int, str]] = {}
        for path in sorted(root.rglob("*")):
            text = os.readlink(path) if path.is_symlink() else path.read_text() if path.is_file() else ""
            found[str(path.relative_to(root))] = (path.lstat().st_mode, text)
        return found

    before = snapshot()
    mender = Mender(str(root), [])
    for _ in range(2):
        (root / "written").write_text("other")
        times = (root / "same_size").stat()
        (root / "same_size").write_text("TEXT of same_size")
        os.utime(root / "same_size", ns=(times.st_atime_ns, times.st_mtime_ns))
        (root / "removed").unlink()
        (root / "becomes_folder").unlink()
        (root / "becomes_folder").mkdir()
        (root / "mode").chmod(0o000)
        (root / "closed/inner").chmod(0o000)
        (root / "closed").chmod(0o000)
        (root / "a/b/deep").unlink()
        (root / "a/b").rmdir()
        (root / "a/b").symlink_to("/")
        (root / "moved").rename(root / "a/moved")
        (root / "link").unlink()
        (root / "link").symlink_to("/etc")
        (root / "new/folder").mkdir(parents=True)
        (root / "new/folder/file").write_text("x")
        (root / "new/folder").chmod(0o000)
        mender.mend()
        assert snapshot() == before
