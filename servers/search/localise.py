"""Where the fault may be: traceback lines first, then per-test coverage.

The score of a line is Ochiai's (Abreu, Zoeteweij, van Gemund: An Evaluation of Similarity Coefficients
for Software Fault Localization, PRDC 2006): of the tests, how far "runs this line" goes with "fails".
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import sqrt

from contracts import test_names
from contracts.code_writer import Suspect
from contracts.test_runner import CoverageResult, Frame
from servers.search.source import FUNCTIONS, Source, blocks, shallow

COVERAGE = 0.85
"""What coverage alone is worth against a line the traceback names."""
CALLER = 0.9
HEADER = 0.6
DEFINITION = 0.7

_FAILED = ("failed", "error")


def is_test(path: str, failing: Iterable[str]) -> bool:
    """Whether a path is test code: named so, deciding how tests run, or holding one of the failing tests."""
    named = test_names.is_test(path) or test_names.decides_tests(path)
    return named or any(test.split("::", 1)[0] == path for test in failing)


def is_below(path: str, prefixes: Iterable[str]) -> bool:
    """Whether a path is, or lies below, one of `prefixes`."""
    return any(path == prefix.rstrip("/") or path.startswith(prefix.rstrip("/") + "/") for prefix in prefixes)


def ochiai(failed_through: int, passed_through: int, failed: int) -> float:
    """failed_through / sqrt(failed * (failed_through + passed_through)), 0 when nothing fails there."""
    if not failed_through:
        return 0.0
    return failed_through / sqrt(failed * (failed_through + passed_through))


def suspects(coverage: CoverageResult, failing: tuple[str, ...], avoid: tuple[str, ...]) -> tuple[Suspect, ...]:
    """Lines outside of tests and of `avoid`, most suspicious first, then in path and line order."""
    outcomes = [case.outcome in _FAILED for case in coverage.tests]
    failed = max(sum(outcomes), 1)
    found: dict[tuple[str, int], Suspect] = {}

    def note(path: str, line: int, score: float, why: str) -> None:
        if is_test(path, failing) or is_below(path, avoid) or not path.endswith(".py"):
            return
        known = found.get((path, line))
        if known is None or known.score < score:
            found[path, line] = Suspect(path=path, line=line, score=round(min(score, 1.0), 4), why=why)

    for line in coverage.lines:
        through = [outcomes[index] for index in line.tests if 0 <= index < len(outcomes)]
        score = ochiai(sum(through), len(through) - sum(through), failed)
        if score:
            note(line.path, line.line, score * COVERAGE, "coverage")
    for case in coverage.failures:
        for frame, score in _frames(case.frames, failing):
            note(frame.path, frame.line, score, "traceback")
    return tuple(sorted(found.values(), key=lambda suspect: (-suspect.score, suspect.path, suspect.line)))


def _frames(frames: tuple[Frame, ...], failing: tuple[str, ...]) -> Iterator[tuple[Frame, float]]:
    """The frames outside of tests, the innermost one first."""
    ours = [frame for frame in frames if not is_test(frame.path, failing)]
    for index, frame in enumerate(reversed(ours)):
        yield frame, 1.0 if index == 0 else CALLER - 0.02 * min(index, 20)


@dataclass(frozen=True, eq=False)
class Place:
    """A statement (its header, for a compound one) and how suspicious it is."""

    source: Source
    statement: ast.stmt
    score: float


def places(source: Source, scores: Mapping[int, float]) -> tuple[Place, ...]:
    """The suspicious statements of a file, in the order of the text.

    A definition's header counts with its body (defaults), and what the module or a class defines counts
    with the statements that use it: neither is run by a test, so that coverage cannot see them.
    """
    own: dict[ast.stmt, float] = {}
    for statement in source.statements:
        first, last = header(statement)
        score = max((scores.get(line, 0.0) for line in range(first, last + 1)), default=0.0)
        if score:
            own[statement] = score
    bodies: dict[ast.stmt, float] = {}
    users: dict[str, float] = {}
    for statement, score in own.items():
        function = source.enclosing(statement, FUNCTIONS)
        if function is not None:
            bodies[function] = max(bodies.get(function, 0.0), score * HEADER)
        for node in shallow(statement):
            name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else None
            if name:
                users[name] = max(users.get(name, 0.0), score * DEFINITION)
    for function, score in bodies.items():
        own[function] = max(own.get(function, 0.0), score)
    for statement in source.statements:
        if source.enclosing(statement, FUNCTIONS) is None:
            score = max((users.get(name, 0.0) for name in _defined(statement)), default=0.0)
            if score:
                own[statement] = max(own.get(statement, 0.0), score)
    return tuple(Place(source, statement, own[statement]) for statement in source.statements if statement in own)


def header(statement: ast.stmt) -> tuple[int, int]:
    """First and last line of a statement, a compound one's blocks left out."""
    last = statement.end_lineno or statement.lineno
    for block in blocks(statement):
        last = min(last, max(statement.lineno, block[0].lineno - 1))
    return statement.lineno, last


def _defined(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, (ast.AnnAssign, ast.AugAssign)):
        targets = [statement.target]
    else:
        return []
    return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
