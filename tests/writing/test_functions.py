"""Whole definitions: the ones meant are replaced or added, all else stays to the byte, and doubt is a mismatch."""

from __future__ import annotations

import ast
import textwrap

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from servers.writing.definition import Written
from servers.writing.functions import by_functions
from servers.writing.locate import Mismatch

OLD = '''"""Shop."""

import math


# Of rectangles.
def area(width, height):
    return width + height


class Basket:
    """Holds prices."""

    @property
    def total(self):
        return sum(self.prices) + 1

    @total.setter
    def total(self, value):
        self.prices = [value]

    def count(self):
        def inner():
            return 1
        return inner()


if __name__ == "__main__":
    print(area(1, 2))
'''
AREA = "def area(width, height):\n    return width * height\n"


def made(name: str, text: str, *imports: str, old: str = OLD) -> str:
    return by_functions(old, [Written(name, text)], imports, "shop.py")


def test_a_function_is_replaced_and_all_else_stays() -> None:
    """The comment above it and everything around it are untouched."""
    assert made("area", AREA) == OLD.replace("width + height", "width * height")


def test_line_ends_stay_those_of_the_file() -> None:
    """A reply with bare newlines does not mix ends into a CRLF file."""
    assert made("area", AREA, old=OLD.replace("\n", "\r\n")) == OLD.replace("width + height", "width * height").replace(
        "\n", "\r\n"
    )


@pytest.mark.parametrize("name", ["Basket.count", "count", "shop.Basket.count"])
@pytest.mark.parametrize("indent", ["", "    ", "  "])
def test_a_method_is_found_and_indented_as_the_file_is(name: str, indent: str) -> None:
    """Also by its own name alone, if it takes `self`, and whatever it was indented by."""
    text = textwrap.indent("def count(self):\n\n    return 2\n", indent)
    want = (
        OLD[: OLD.index("    def count")]
        + "    def count(self):\n\n        return 2\n"
        + OLD[OLD.index("\n\nif __name") :]
    )
    assert made(name, text) == want


def test_one_of_several_definitions_of_a_name_is_named_by_its_line() -> None:
    """Without the line it is refused, and the message says the names to choose from."""
    line = OLD.splitlines().index("    def total(self, value):") + 1
    setter = "    @total.setter\n    def total(self, value):\n        self.prices = []\n"
    with pytest.raises(Mismatch, match=f"`Basket.total@{line}`"):
        made("Basket.total", setter)
    assert made(f"Basket.total@{line}", setter) == OLD.replace("[value]", "[]")


def test_decorators_do_not_get_lost() -> None:
    """A property whose new text has no decorator is a mistake, not a wish."""
    line = OLD.splitlines().index("    def total(self):") + 1
    with pytest.raises(Mismatch, match="decorated with @property"):
        made(f"Basket.total@{line}", "    def total(self):\n        return 1\n")


def test_what_is_new_goes_to_the_end_of_its_class_or_file() -> None:
    """A method behind the last one, a function before the main guard, imports behind the others, each once."""
    text = by_functions(
        OLD,
        [
            Written("Basket.clear", "def clear(self):\n    self.prices = []"),
            Written("sides", "def sides():\n    return 4"),
        ],
        ("from math import pi", "import math", "from __future__ import annotations", "from math import pi"),
        "shop.py",
    )
    assert text.startswith('"""Shop."""\nfrom __future__ import annotations\n\nimport math\nfrom math import pi\n\n\n#')
    added = "    def clear(self):\n        self.prices = []\n\n\ndef sides():\n    return 4\n"
    assert f"        return inner()\n\n{added}\n\nif __name" in text
    ast.parse(text)


@pytest.mark.parametrize(
    "old", ["", "import a\n", "import a", "# hi\n", "# hi", "x = 1\n\n\n", "\ufeffx = 1\n", "def f(): pass"]
)
def test_a_function_and_an_import_can_be_added_to_any_file(old: str) -> None:
    """Short, empty, with a byte-order mark or without a last line end: the import stands before the function."""
    text = made("g", "def g():\n    return b\n", "import b", old=old)
    body = ast.parse(text.removeprefix("\ufeff")).body
    kinds = [ast.unparse(node).split("\n")[0] for node in body]
    assert kinds.index("import b") < kinds.index("def g():")
    assert [ast.dump(node) for node in ast.parse(old.removeprefix("\ufeff")).body] == [
        ast.dump(node) for node in body if ast.unparse(node).split("\n")[0] not in ("import b", "def g():")
    ]


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("area", "def aria(width, height):\n    return 1\n", "one whole definition of `area` is expected, found aria"),
        ("area", AREA + "\n\n" + AREA.replace("area", "b"), "found area, b"),
        ("area", "return width * height", "found Return"),
        ("area", "", "found nothing"),
        ("area", AREA + "x = 1\n", "found area, Assign"),
        ("area", "def area(:\n", "not valid Python"),
        ("Baskets.size", "def size(self):\n    return 1\n", "Baskets is no class"),
        ("area.inner", "def inner():\n    return 1\n", "area is no class"),
        ("area@3", AREA, "not defined at line 3"),
    ],
)
def test_what_is_not_one_definition_with_a_certain_place_is_refused(name: str, text: str, why: str) -> None:
    """Each with what was expected and what was found."""
    with pytest.raises(Mismatch, match=why):
        made(name, text)


def test_a_bare_name_of_a_function_and_a_method_is_refused_for_a_method() -> None:
    """A text that takes `self` is none of the function it would replace."""
    old = OLD + "\n\ndef count():\n    return 2\n"
    with pytest.raises(Mismatch, match=r"`Basket\.count@"):
        made("count", "def count(self):\n    return 3\n", old=old)
    assert made("count", "def count():\n    return 3\n", old=old) == old.replace("return 2", "return 3")


def test_a_definition_within_another_of_the_reply_is_refused() -> None:
    """Both cannot be done."""
    whole = "class Basket:\n    def count(self):\n        return 3\n"
    written = [Written("Basket", whole), Written("Basket.count", "    def count(self):\n        return 4\n")]
    with pytest.raises(Mismatch, match="within another"):
        by_functions(OLD, written, (), "shop.py")


def test_a_string_that_would_change_with_the_indentation_is_refused() -> None:
    """Moving code may move its docstring, never another text."""
    text = 'def count(self):\n    """One.\n\n    Two.\n    """\n    return 1\n'
    assert '\n        Two.\n        """\n        return 1\n' in made("Basket.count", text)
    with pytest.raises(Mismatch, match="a string in it would change"):
        made("Basket.count", 'def count(self):\n    return """\n    a\n"""\n')


def test_imports_written_before_a_function_go_to_the_top() -> None:
    """Models like to put them there."""
    text = made("area", "import decimal\n\n" + AREA)
    assert "import math\nimport decimal\n" in text
    assert "# Of rectangles.\ndef area(width, height):\n    return width * height\n" in text


def test_only_imports_are_imports() -> None:
    """Nothing else comes in by that door."""
    with pytest.raises(Mismatch, match="Only import statements"):
        made("area", AREA, "import os; os.abort()")


bodies = st.lists(
    st.sampled_from(["x = 1", "return 2", 'y = """a\n  b"""', "if x:\n    pass", "# note", "pass"]),
    min_size=1,
    max_size=4,
)


@given(st.lists(bodies, min_size=1, max_size=4), bodies, st.data())
def test_a_replaced_function_is_the_only_thing_that_changes(
    all_bodies: list[list[str]], new: list[str], data: st.DataObject
) -> None:
    """For any file of functions and methods, giving one anew gives the file one would have written by hand."""

    def function(name: str, body: list[str], deep: bool) -> str:
        text = f"def {name}(x):\n" + "".join(textwrap.indent(part, "    ") + "\n" for part in [*body, "pass"])
        return textwrap.indent(text, "    ") if deep else text

    def file(bodies: list[list[str]], deep: bool) -> str:
        head = "class A:\n" if deep else "import x\n\n"
        return head + "\n".join(function(f"f{number}", body, deep) for number, body in enumerate(bodies))

    deep = data.draw(st.booleans())
    at = data.draw(st.integers(0, len(all_bodies) - 1))
    old = file(all_bodies, deep)
    assume(new != all_bodies[at])
    want = file([*all_bodies[:at], new, *all_bodies[at + 1 :]], deep)
    given_text = function(f"f{at}", new, deep)
    name = f"A.f{at}" if deep else f"f{at}"
    assert by_functions(old, [Written(name, given_text)], (), "it.py") == want
    try:
        sloppy = by_functions(old, [Written(name, "```python\n" + textwrap.dedent(given_text) + "```")], (), "it.py")
    except Mismatch:
        return
    assert sloppy == want


@pytest.mark.parametrize("name", ["inner", "count"])
def test_a_bare_name_that_is_only_nested_is_refused(name: str) -> None:
    """The nested one was meant, most likely, and would stay as it is beside a new one."""
    with pytest.raises(Mismatch, match=rf"only as `Basket\.count.*`shop\.{name}` for a new"):
        made(name, f"def {name}():\n    return 2\n")
    assert f"\n\n\ndef {name}():\n    return 2\n" in made(f"shop.{name}", f"def {name}():\n    return 2\n")
