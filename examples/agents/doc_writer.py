"""doc_writer: keeps a page that lists what a project's Python modules offer, from their docstrings."""

from __future__ import annotations

import ast
from typing import ClassVar

from contracts import diff
from contracts.code_writer import WriteParams, WriteResult
from contracts.manifest import Manifest
from contracts.patch import Patch
from contracts.repository import ListParams, ListResult, ReadParams, ReadResult
from servers.specialist import Call, Room, ToolError, tool

MOST_MODULES = 200


class DocWriter:
    """Writes one Markdown page; it holds no right but to read through `repository`."""

    manifest: ClassVar[Manifest] = Manifest(
        name="doc_writer",
        title="Doc writer",
        description="Lists public functions and classes, with the first line of their docstrings.",
        calls=("repository.list", "repository.read"),
    )

    def __init__(self, room: Room) -> None:
        self._crew = room.crew

    @tool(read_only=True)
    async def write(self, params: WriteParams, call: Call) -> WriteResult:
        """Write the page `path` anew: a section a module, a line a public name. Nothing is written to the tree."""
        if not params.path.endswith(".md"):
            raise ToolError("invalid", f"{params.path} is no Markdown page", way_out="Name a path that ends with .md.")
        listed = await self._crew.call("repository.list", ListParams(run=params.run), ListResult, parent=call)
        paths = [each.path for each in listed.files if each.kind == "file"]
        modules = [path for path in paths if path.endswith(".py") and not is_test(path)][:MOST_MODULES]
        sections: list[str] = []
        for done, path in enumerate(modules):
            await call.progress(done, len(modules), path)
            sections += section(path, await self._text(params.run, path, call))
        if not sections:
            return WriteResult(patch=None, note="No module has anything public.")
        old = await self._text(params.run, params.path, call) if params.path in paths else None
        new = "\n".join(["# What the modules offer", "", *sections])
        if new == old:
            return WriteResult(patch=None, note=f"{params.path} is up to date.")
        change = diff.make(params.path, old, new)
        return WriteResult(patch=Patch.of(change, (params.path,)), summary=f"List {len(modules)} modules")

    async def _text(self, run: str, path: str, call: Call) -> str:
        asked = ReadParams(run=run, path=path, lines=50_000)
        return (await self._crew.call("repository.read", asked, ReadResult, parent=call)).text


def is_test(path: str) -> bool:
    """Whether a module belongs to the tests."""
    return any(part in ("tests", "conftest.py") or part.startswith("test_") for part in path.split("/"))


def section(path: str, source: str) -> list[str]:
    """The lines about one module; none where nothing in it is public."""
    try:
        module = ast.parse(source)
    except SyntaxError:
        return []
    entries = [
        f"- `{node.name}`" + (f": {said}" if (said := first_line(node)) else "")
        for node in module.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    about = first_line(module)
    return [f"## {path}", "", *([about, ""] if about else []), *entries, ""] if entries else []


def first_line(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """The first line of a docstring."""
    return (ast.get_docstring(node) or "").split("\n", 1)[0]
