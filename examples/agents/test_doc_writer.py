"""doc_writer, tried without a bus: what it asks, what it writes, what it refuses."""

from __future__ import annotations

import pytest
from doc_writer import DocWriter

from contracts.code_writer import WriteParams, WriteResult
from contracts.repository import FileEntry, ListParams, ListResult, ReadParams, ReadResult
from servers.rehearsal import Rehearsal
from servers.specialist import ToolError

CART = '''"""Carts."""

def total(cart):
    """What all of it costs."""

def empty(cart):
    return not cart

def _rounded(x):
    """Not public."""
'''
FILES = {"shop/cart.py": CART, "shop/broken.py": "def (", "tests/test_cart.py": CART, "README.md": "# Shop\n"}
PAGE = "# What the modules offer\n\n## shop/cart.py\n\nCarts.\n\n- `total`: What all of it costs.\n- `empty`\n"


def stage(files: dict[str, str]) -> Rehearsal:
    def listed(params: ListParams) -> ListResult:
        entries = tuple(FileEntry(path=path, bytes=len(text)) for path, text in files.items())
        return ListResult(files=entries, total=len(entries))

    def read(params: ReadParams) -> ReadResult:
        text = files[params.path]
        return ReadResult(text=text, first_line=1, total_lines=text.count("\n"))

    return Rehearsal(DocWriter, {"repository.list": listed, "repository.read": read})


def wanted(path: str = "docs/api.md") -> WriteParams:
    return WriteParams(run="r-abcd", request="Document it.", path=path, instruction="List what there is.")


@pytest.mark.anyio
async def test_it_lists_what_is_public() -> None:
    written = await stage(FILES).call("write", wanted(), WriteResult)
    assert written.patch is not None
    assert written.patch.files == ("docs/api.md",)
    assert [line[1:] for line in written.patch.diff.splitlines() if line.startswith("+") and line[1:2] != "+"] == (
        PAGE.splitlines()
    )


@pytest.mark.anyio
async def test_a_page_that_is_up_to_date_is_left_alone() -> None:
    written = await stage({**FILES, "docs/api.md": PAGE}).call("write", wanted(), WriteResult)
    assert written.patch is None
    assert "up to date" in written.note


@pytest.mark.anyio
async def test_it_writes_pages_only() -> None:
    with pytest.raises(ToolError, match="no Markdown page"):
        await stage(FILES).call("write", wanted("shop/cart.py"), WriteResult)
