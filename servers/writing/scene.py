"""What a model is shown of a fault: the failing tests, how they fail, and where it may lie."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.code_writer import ProposeParams, Suspect
from contracts.test_runner import CoverageResult
from servers.outline import definitions
from servers.search.localise import is_below, is_test, suspects
from servers.search.source import FUNCTIONS, Source, Unreadable
from servers.specialist import ToolError
from servers.writing import page
from servers.writing.desk import Desk, checked

SUSPECTS = 20
OTHERS = 4
"""Functions of other files that are shown along."""
TESTS_CHARS = 12_000


@dataclass(frozen=True)
class Target:
    """A file to change, its text, and its suspicious lines, most suspicious first."""

    path: str
    text: str | None
    lines: tuple[int, ...]


@dataclass(frozen=True)
class Scene:
    """One fault."""

    coverage: CoverageResult
    suspects: tuple[Suspect, ...]
    targets: tuple[Target, ...]
    tests: str
    others: tuple[tuple[str, str], ...]


def allowed(path: str, params: ProposeParams) -> bool:
    """Whether a repair may change it: neither a test nor below what is to be avoided."""
    return not is_test(path, params.failing) and not is_below(path, params.avoid)


async def scene(params: ProposeParams, desk: Desk, coverage: CoverageResult) -> Scene:
    """Look up what is to be shown.

    Raises:
        ToolError: what `repository.read` says of a file to change; invalid, for a path outside the tree.
    """
    found = suspects(coverage, params.failing, params.avoid)
    by_path: dict[str, list[int]] = {}
    for suspect in found:
        by_path.setdefault(suspect.path, []).append(suspect.line)
    named = [checked(path) for path in params.paths if allowed(path, params)]
    # Named files, the suspicious ones first; else the most suspicious one.
    order = sorted(named, key=lambda path: [*by_path].index(path) if path in by_path else len(by_path))
    paths = order or ([] if params.paths else [*by_path][:1])
    targets = [Target(path, await desk.text(path), tuple(by_path.get(path, ()))[:SUSPECTS]) for path in paths]
    elsewhere = [suspect for suspect in found if suspect.path not in paths]
    return Scene(coverage, found, tuple(targets), await _tests(params, desk), await _others(elsewhere, desk))


async def _tests(params: ProposeParams, desk: Desk) -> str:
    """The source of the failing tests' functions; of the whole file where they cannot be told."""
    shown = list[tuple[str, str]]()
    for path in dict.fromkeys(test.split("::", 1)[0] for test in params.failing):
        try:
            text = await desk.text(path) or ""
        except ToolError as error:
            shown.append((path, f"(cannot be shown: {error.failure.message})"))
            continue
        names = {test.rsplit("::", 1)[-1].split("[", 1)[0] for test in params.failing if test.startswith(path)}
        shown.append((path, page.cut(_functions(path, text, names) or text, TESTS_CHARS)))
    return page.code(shown)


def _functions(path: str, text: str, names: set[str]) -> str:
    try:
        source = Source.of(path, text)
    except Unreadable:
        return ""
    found = [node for node in source.statements if isinstance(node, FUNCTIONS) and node.name in names]
    lines = [source.text[start:end] for start, end in source.lines]
    return "\n\n".join("\n".join(lines[_first(node) - 1 : node.end_lineno]) for node in found)


def _first(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return min([node.lineno, *(each.lineno for each in node.decorator_list)])


async def _others(found: Sequence[Suspect], desk: Desk) -> tuple[tuple[str, str], ...]:
    """The functions around suspicious lines of other files."""
    shown: dict[str, str] = {}
    for path in list(dict.fromkeys(suspect.path for suspect in found))[:OTHERS]:
        try:
            text = await desk.text(path) or ""
        except ToolError:
            continue  # an aid only
        split = text.split("\n")
        lines = [suspect.line for suspect in found if suspect.path == path]
        for each in page.chosen(definitions(text) or (), "", lines)[:2]:
            shown[f"{path}: {each.name}"] = page.definition(split, each)
    return tuple(shown.items())[:OTHERS]
