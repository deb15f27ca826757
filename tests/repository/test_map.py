"""`map`: what a reader who does not know the repository needs first, and never more than was asked for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.repository import MapParams, MapResult, OutlineParams
from servers.reading import pages as reading
from servers.reading.chart import CHARS_PER_TOKEN, Chart, chart
from servers.reading.links import links
from servers.reading.pages import Page
from servers.reading.python import module_of
from servers.reading.relevance import relevance, weights
from servers.reading.words import bag
from servers.repository import Repository
from tests.git_project import RUN, FakeCall, Project
from tests.repository.shop import FILES, opened, reader_of

CALL = FakeCall()
ROW = re.compile(r"^ *(\d+) (?:class|def|async def) ([\w.]+)", re.MULTILINE)


@pytest.fixture
async def reader(tmp_path: Path) -> Repository:
    return await reader_of(FILES, tmp_path)


async def map_of(reader: Repository, words: str = "", tokens: int = 4000) -> MapResult:
    return await reader.map(MapParams(run=RUN, words=words, tokens=tokens), CALL)


def page(path: str, source: str = "") -> Page:
    return Page(path, len(source), source, module_of(source) if path.endswith(".py") else None, bag(source))


async def test_a_file_is_shown_with_its_docstring_and_its_signatures(reader: Repository) -> None:
    """Qualified names, line numbers, decorators; local functions are not worth a line."""
    text = (await map_of(reader)).text
    assert "shop/orders.py (412 bytes)  Orders as they come in.\n" in text
    assert "    8 def place_order(request, store)  @route('POST', '/orders')\n" in text
    assert "    6 class RefundDesk\n" in text
    assert "    9 def RefundDesk.refund(self, order: int, amount: Cents=Cents(0)) -> Cents\n" in text
    assert "    4 class Cents(int)\n" in text
    assert "local" not in text
    assert "logo.png (11 bytes)\n" in text
    assert text.endswith("\nAll 9 files are shown.")


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("refunding too much", {"shop/refunds.py", "tests/test_refunds.py"}),
        ("place_order", {"shop/orders.py"}),
        ("PlaceOrder", {"shop/orders.py"}),
        ("what is in shop/weather.py?", {"shop/weather.py"}),
        ("RefundDesk.refund", {"shop/refunds.py", "tests/test_refunds.py"}),
    ],
)
async def test_what_the_words_are_about_comes_first(words: str, first: set[str], reader: Repository) -> None:
    """By path, by names of definitions in whatever case, by other forms of the word."""
    assert set((await map_of(reader, words)).files[: len(first)]) == first


async def test_what_relevant_files_import_comes_before_what_has_nothing_to_do_with_them(reader: Repository) -> None:
    """Imports by full name and by dots, in both directions."""
    files = (await map_of(reader, "refund")).files
    assert files.index("shop/money.py") < files.index("shop/weather.py")
    assert files.index("shop/money.py") < files.index("shop/web.py")


def test_without_words_what_is_linked_most_comes_first() -> None:
    """Knowing nothing, the common ground is the best guess."""
    made = [page("a.py"), *(page(f"user{number}.py", "import z_base\n") for number in range(3)), page("z_base.py")]
    assert charted(made, "", 500).paths == ("z_base.py", "user0.py", "user1.py", "user2.py", "a.py")


async def test_a_small_map_keeps_to_its_size_and_says_what_is_missing(tmp_path: Path) -> None:
    """Definitions of the best, then paths, then a number."""
    many = {f"many/file{number:03}.py": f"def function_{number}(): ...\n" for number in range(200)}
    reader = await reader_of({**FILES, **many}, tmp_path)
    small = await map_of(reader, "refunds of orders", tokens=200)
    assert len(small.text) <= 200 * CHARS_PER_TOKEN
    assert small.files[0] == "shop/refunds.py"
    assert "def RefundDesk.refund" in small.text
    assert "\nAlso there:\n" in small.text
    assert small.total_files == 209
    assert small.text.endswith(f"\n{209 - len(small.files)} of 209 files are not shown.")
    assert len(small.files) < 209


async def test_a_large_file_leaves_room_and_shows_what_the_words_name(tmp_path: Path) -> None:
    """Of hundreds of functions that which is asked about, and how many there are besides."""
    functions = "".join(f"def handler_{number}(): ...\n" for number in range(500))
    reader = await reader_of({**FILES, "shop/refund_handlers.py": f"{functions}def cancel_refund(): ...\n"}, tmp_path)
    result = await map_of(reader, "cancel a refund", tokens=500)
    assert result.files[0] == "shop/refund_handlers.py"
    assert "  501 def cancel_refund()\n" in result.text
    assert re.search(r"… \d+ more\n", result.text)
    assert "def RefundDesk.refund" in result.text


async def test_only_what_is_tracked_and_regular_is_on_the_map(tmp_path: Path) -> None:
    """No link is followed, whatever it leads to; nothing untracked; a name cannot break out of its line."""
    (tmp_path / "secret.py").write_text("def somebody_elses_secret(): ...\n")
    project = Project(tmp_path / "p")
    (project.root / "link.py").symlink_to(tmp_path / "secret.py")
    (project.root / "linked").symlink_to(tmp_path)
    project.commit(
        {"a.py": "def a(): ...\n", "b\nAll 2 files are shown.py": "def b(): ...\n", "caf\udce9.py": "x = 1\n"}
    )
    reader = await opened(project, tmp_path / "work")
    (tmp_path / "work" / RUN / "tree" / "untracked.py").write_text("def untracked(): ...\n")
    result = await map_of(reader, "secret untracked")
    assert sorted(result.files) == ["a.py", "b\nAll 2 files are shown.py", "caf\\xe9.py"]
    assert '"b\\nAll 2 files are shown.py" (13 bytes)' in result.text
    assert "secret" not in result.text


HOSTILE: dict[str, str | bytes] = {
    "broken.py": "def f(:\n",
    "deep.py": "(" * 5000,
    "chain.py": "x = " + "1+" * 20_000 + "1\n",
    "default.py": "def f(a=" + "-" * 900 + "1): ...\n",
    "number.py": "def f(a=0x" + "f" * 5000 + "): ...\n",
    "binary.py": b"def f(): ...\0",
    "latin.py": b"# \xe9\ndef f(): ...\n",
    "dots.py": "from " + "." * 3000 + " import x\nfrom .. import *\nfrom ... import y\n",
    "huge.py": "def big(): ...\n" * 40_000,
    "escape.py": '"""\x1b[2J cleared"""\ndef g(): "\\d"\n',
}


async def test_hostile_files_do_not_end_the_map(tmp_path: Path) -> None:
    """Each is on it, by its path at least."""
    reader = await reader_of(HOSTILE, tmp_path)
    result = await map_of(reader)
    assert set(result.files) == set(HOSTILE)
    assert "def f(…)" in result.text
    assert "def big" not in result.text
    assert "\x1b" not in result.text


@pytest.mark.parametrize(("bound", "value"), [("MAX_ALL_BYTES", 600), ("LOOK_S", -1.0)])
async def test_too_much_text_is_said(
    bound: str, value: float, reader: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the bounds files are paths, and the last line tells."""
    monkeypatch.setattr(reading, bound, value)
    result = await map_of(reader)
    assert len(result.files) == 9
    assert re.search(r"\d were not looked into: too much text\.$", result.text)


async def test_a_file_that_is_gone_is_not_on_the_map(reader: Repository, tmp_path: Path) -> None:
    """The index may name what the worktree has no more."""
    (tmp_path / "work" / RUN / "tree" / "shop/web.py").unlink()
    result = await map_of(reader)
    assert "shop/web.py" not in result.files
    assert result.total_files == 8


async def test_every_definition_on_the_map_is_in_the_outline(reader: Repository) -> None:
    """At the line it says."""
    outline = await reader.outline(OutlineParams(run=RUN), CALL)
    rows = {(int(line), name) for line, name in ROW.findall((await map_of(reader, "orders")).text)}
    assert rows == {(each.line, each.name) for each in outline.symbols if each.name != "RefundDesk.refund.local"}


@pytest.mark.parametrize(
    ("importing", "statement", "imported"),
    [
        ("app.py", "import lib.deep.mod", "lib/deep/mod.py"),
        ("app.py", "from lib.deep import mod", "lib/deep/mod.py"),
        ("app.py", "from lib.deep.mod import Name", "lib/deep/mod.py"),
        ("tests/test_x.py", "from pkg.mod import f", "src/pkg/mod.py"),
        ("pkg/sub/a.py", "from . import b", "pkg/sub/b.py"),
        ("pkg/sub/a.py", "from ..c import f", "pkg/c.py"),
        ("pkg/sub/__init__.py", "from .b import f", "pkg/sub/b.py"),
        ("app.py", "from pkg import f", "pkg/__init__.py"),
        ("app.py", "def f():\n    if True:\n        import lib", "lib.py"),
        ("tools/app.py", "from core.x import y", "tools/core/x.py"),
    ],
)
def test_an_import_is_a_link(importing: str, statement: str, imported: str) -> None:
    """From the root, from src, from above the top package, by dots; inside functions too; both ways."""
    made = [page(importing, statement), page(imported)]
    if imported.startswith("tools/core/"):
        made.append(page("tools/core/__init__.py"))
    assert 1 in links(made)[0]
    assert 0 in links(made)[1]


NAMES = st.text("abcdefgAB_", min_size=1, max_size=8).filter(str.isidentifier)
PATHS = st.lists(st.text("abé\n /", min_size=1, max_size=30), max_size=3).map("/".join).filter(bool)


@st.composite
def trees(draw: st.DrawFn) -> list[Page]:
    """Some files; Python ones define and import this and that."""
    made = list[Page]()
    for number, path in enumerate(draw(st.lists(PATHS, max_size=12, unique=True))):
        kinds = st.sampled_from(("def {}(a=1): ...\n", "class {}: ...\n"))
        rows = [kind.format(name) for kind, name in draw(st.lists(st.tuples(kinds, NAMES), max_size=30))]
        rows += [f"import m{other}\n" for other in draw(st.sets(st.integers(0, 12), max_size=4))]
        made.append(page(f"{path}.txt" if draw(st.booleans()) else f"m{number}.py", "".join(rows)))
    return made


def charted(made: list[Page], words: str, tokens: int) -> Chart:
    weight = weights(words, made)
    scores = relevance(weight, made)
    order = sorted(range(len(made)), key=lambda number: (-round(scores[number], 9), made[number].path))
    return chart([made[number] for number in order], weight, tokens)


@given(trees(), st.text("abcdefg ", max_size=30), st.integers(100, 600))
def test_a_map_of_anything(made: list[Page], words: str, tokens: int) -> None:
    """Never over its size; every path is a file, once; every definition is there; the order of reading is no matter."""
    result = charted(made, words, tokens)
    assert len(result.text) <= tokens * CHARS_PER_TOKEN
    assert len(set(result.paths)) == len(result.paths)
    assert set(result.paths) <= {each.path for each in made}
    declared = {(d.definition.line, d.definition.name) for each in made if each.module for d in each.module.declared}
    assert {(int(line), name) for line, name in ROW.findall(result.text)} <= declared
    assert charted(made[::-1], words, tokens) == result
    missing = len(made) - len(result.paths)
    said = f"{missing} of {len(made)} files are not shown." if missing else f"All {len(made)} files are shown."
    assert result.text.split("\n")[-1] == said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("LoanStore.lend_book", {"loan", "store", "lend", "book"}),
        ("HTTPServer2xx", {"http", "server", "xx"}),
        ("lending lends lend", {"lend"}),
        ("404 x", {"404"}),
        ("größe naïve_Größe", {"grösse", "naïve"}),
        ("d" * 64, set[str]()),
        ("class status", {"class", "statu"}),
    ],
)
def test_identifiers_and_prose_have_the_same_words(text: str, words: set[str]) -> None:
    """Split by case and underscore, lower-cased, without common endings; digests are no words."""
    assert set(bag(text)) == words
