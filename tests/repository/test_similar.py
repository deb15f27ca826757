"""`similar`: definitions that are written like some code, or about some words."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.repository import SimilarCode, SimilarParams
from servers.reading.alike import MAX_ALL_CHARS, Written, alike, written
from servers.reading.pages import Page
from servers.reading.python import module_of
from servers.reading.words import bag
from servers.repository import Repository
from servers.specialist import ToolError
from tests.git_project import RUN, FakeCall
from tests.repository.shop import FILES, reader_of

CALL = FakeCall()
CANCEL = '''
    @route("DELETE", "/orders/{id}")
    def cancel_order(request, store, id):
        """Cancel an order."""
        return store.orders.cancel(id)
'''


@pytest.fixture
async def reader(tmp_path: Path) -> Repository:
    return await reader_of(FILES, tmp_path)


async def like(reader: Repository, text: str, *, glob: str = "", limit: int = 5) -> tuple[SimilarCode, ...]:
    return (await reader.similar(SimilarParams(run=RUN, like=text, glob=glob, limit=limit), CALL)).found


async def test_code_finds_the_function_it_would_stand_beside(reader: Repository) -> None:
    """The text comes with its decorator, and the lines say where it stands."""
    best = (await like(reader, CANCEL))[0]
    assert (best.path, best.name, best.line, best.end_line) == ("shop/orders.py", "show_order", 15, 18)
    assert best.text == "".join(str(FILES["shop/orders.py"]).splitlines(keepends=True)[14:18])
    assert 0.3 < best.score < 1


async def test_a_definition_is_most_like_itself(reader: Repository) -> None:
    """With the highest score there is."""
    source = "".join(str(FILES["shop/orders.py"]).splitlines(keepends=True)[6:12])
    best = (await like(reader, source))[0]
    assert (best.name, best.score) == ("place_order", 1.0)


async def test_words_find_what_they_are_about(reader: Repository) -> None:
    """In prose; of a class and its method only the better one is given."""
    assert [each.name for each in await like(reader, "giving refunds")] == ["test_refund", "RefundDesk"]
    assert (await like(reader, "refund amount for an order"))[0].name == "RefundDesk.refund"


async def test_the_shape_of_code_counts_too(tmp_path: Path) -> None:
    """Of two with the same words, that which is built the same."""
    loop = "def total(items):\n    for item in items:\n        if item:\n            item.add(items)\n"
    flat = "def total(item):\n    (item, item, item, item, item, 'for in if add')\n"
    assert bag(loop) == bag(flat)
    reader = await reader_of({"a.py": flat, "b.py": loop}, tmp_path)
    asked = loop.replace("items", "item")
    assert [each.path for each in await like(reader, asked)] == ["b.py", "a.py"]


async def test_a_glob_and_a_limit_narrow_it(reader: Repository) -> None:
    """As for search."""
    assert {each.path for each in await like(reader, "refund", glob="tests/**")} == {"tests/test_refunds.py"}
    assert {each.path for each in await like(reader, "order", glob="orders.py")} == {"shop/orders.py"}
    assert await like(reader, "refund", glob="*.md") == ()
    assert len(await like(reader, "order", limit=1)) == 1
    for outside in ("../*.py", "/etc/*"):
        with pytest.raises(ToolError, match="inside the tree"):
            await like(reader, "order", glob=outside)


async def test_nothing_in_common_is_not_found(reader: Repository) -> None:
    """An empty answer is an answer."""
    assert await like(reader, "zebra") == ()
    assert await like(reader, "?!") == ()


async def test_equals_come_in_path_order_and_a_text_is_cut(tmp_path: Path) -> None:
    """Whatever order they were committed in."""
    body = "def same():\n" + "    needle = 'x'\n" * 1000
    reader = await reader_of({"b.py": body, "a.py": body, "broken.py": "def same(:", "c/d.py": body}, tmp_path)
    found = await like(reader, "needle")
    assert [each.path for each in found] == ["a.py", "b.py", "c/d.py"]
    assert len({each.score for each in found}) == 1
    assert all(len(each.text) == 8000 for each in found)


def definitions_of(sources: dict[str, str]) -> list[Written]:
    return written([Page(path, len(text), text, module_of(text), bag(text)) for path, text in sources.items()])


BODIES = st.lists(st.sampled_from(["red = 1", "if red: blue()", "return green.blue", "'yellow red'"]), max_size=4)


@given(st.lists(BODIES, max_size=8), st.sampled_from(["red", "def f():\n    return green.blue\n", "blue Yellow"]))
def test_scores_are_scores_and_the_order_of_reading_is_no_matter(bodies: list[list[str]], asked: str) -> None:
    """0 to 1, falling, in path order where equal."""
    sources = {
        f"m{number}.py": f"def f():\n    {'; '.join(body[-1:]) or 'pass'}\n" for number, body in enumerate(bodies)
    }
    found = [(score, each.path) for score, each in alike(asked, definitions_of(sources), 5)]
    assert all(0 < score <= 1 for score, _ in found)
    assert found == sorted(found, key=lambda pair: (-round(pair[0], 9), pair[1]))
    backwards = dict(reversed(sources.items()))
    assert [(score, each.path) for score, each in alike(asked, definitions_of(backwards), 5)] == found


def test_classes_within_classes_are_not_read_without_end() -> None:
    """Each level holds the text of all below it."""
    levels = "".join(f"{' ' * depth}class C{depth}:\n" for depth in range(90))
    source = f"{levels}{' ' * 90}x = '{'needle ' * 40_000}'\n"
    nested = {f"n{number}.py": source for number in range(3)}
    found = definitions_of(nested)
    assert sum(len(each.text) for each in found) <= MAX_ALL_CHARS
    assert 0 < len(found) < 270
    assert alike("class C1:\n    needle = 1\n", found, 1)


HASHED = """
from tests.repository.test_similar import CANCEL, FILES, Page, alike, bag, module_of, written
from servers.reading.chart import chart
from servers.reading.relevance import relevance, weights
pages = [Page(p, len(t), t, module_of(t), bag(t)) for p, t in FILES.items() if isinstance(t, str)]
weight = weights("refund an order that was placed", pages)
print(relevance(weight, pages), chart(pages, weight, 300).text)
print([(score, each.path, each.first) for score, each in alike(CANCEL, written(pages), 9)])
"""


def test_another_process_gives_the_same_to_the_last_bit() -> None:
    """No order of a set, which differs from process to process, has a say."""
    said = {
        subprocess.run(
            [sys.executable, "-c", HASHED],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in (1, 2, 3)
    }
    assert len(said) == 1
