"""Whether new tests are what they should be, by what came of running them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from contracts.test_runner import RunResult, TestCase
from contracts.test_writer import Purpose
from servers.search.source import FUNCTIONS, Unreadable, parse
from servers.writing.newcomers import is_skip

Function = ast.FunctionDef | ast.AsyncFunctionDef
MISSING = ("ImportError", "ModuleNotFoundError", "AttributeError")
"""How it shows that what is wanted is not there."""
_MISTAKES = ("NameError", "UnboundLocalError", "SyntaxError", "IndentationError", "fixture '")
_BARE = ("fail", "skip", "xfail", "skipTest", "importorskip", "exit")


def functions_of(text: str | None) -> dict[str, Function]:
    """The test functions of a file by `name` or `Class::name`; none where it is no valid Python."""
    try:
        tree = parse(text or "")
    except Unreadable:
        return {}
    return dict(_tests(tree.body, ""))


def _tests(body: list[ast.stmt], owner: str) -> Iterator[tuple[str, Function]]:
    for node in body:
        if isinstance(node, FUNCTIONS) and node.name.startswith("test"):
            yield owner + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _tests(node.body, f"{owner}{node.name}::")


@dataclass(frozen=True)
class Before:
    """The test file as it was: its text, and its tests' outcomes (empty where it could not be collected)."""

    path: str
    text: str | None
    outcomes: Mapping[str, str]
    collected: bool

    @classmethod
    def of(cls, path: str, text: str | None, ran: RunResult | None) -> Before:
        """What a run of the file said; None: there was no file to run."""
        collected = ran is None or ran.outcome in ("passed", "failed", "no_tests")
        cases = ran.cases if ran is not None and collected else ()
        return cls(path, text, {each.id: each.outcome for each in cases}, collected)

    def written(self, new: str) -> list[str]:
        """The test functions of `new` that are new or changed, as `name` or `Class::name`."""
        old = functions_of(self.text)
        now = functions_of(new).items()
        return [name for name, node in now if name not in old or ast.dump(old[name]) != ast.dump(node)]


@dataclass(frozen=True)
class Verdict:
    """The new or changed tests, and why they do not hold; no reasons: they do."""

    tests: tuple[TestCase, ...]
    problems: tuple[str, ...]


def empty_tests(names: Sequence[str], new: str) -> Iterator[str]:
    """Why a test that fails or passes says nothing: its outcome does not depend on any code."""
    for name, node in functions_of(new).items():
        if name not in names:
            continue
        for statement in node.body:
            called = statement.value if isinstance(statement, ast.Expr) else None
            if isinstance(statement, ast.Raise) or (called is not None and (is_skip(called) or _is_fail(called))):
                yield f"{name} ends by itself whatever the code does: {ast.unparse(statement)[:100]}"
        for inner in ast.walk(node):
            if isinstance(inner, ast.Assert) and not any(
                isinstance(each, ast.Name | ast.Call | ast.Attribute) for each in ast.walk(inner.test)
            ):
                yield f"{name} asserts something about constants only: {ast.unparse(inner)[:100]}"


def _is_fail(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and (
        (isinstance(node.func, ast.Attribute) and node.func.attr in _BARE)
        or (isinstance(node.func, ast.Name) and node.func.id == "fail")
    )


def judged(purpose: Purpose, before: Before, new: str, ran: RunResult, again: RunResult | None = None) -> Verdict:
    """Judge a run of the whole file with the change; `again` is a second one, to find what is flaky."""
    written = before.written(new)
    if ran.outcome == "collection_error" and purpose == "feature":
        return _uncollected(before, written, ran)
    if ran.outcome not in ("passed", "failed"):
        said = "\n".join(each.detail or each.message for each in ran.cases if each.outcome == "error")
        return Verdict((), (f"The test file could not be run: {ran.reason}\n{said}".strip(),))
    tests = tuple(each for each in ran.cases if _is_new(each.id, before, written))
    problems = list(_harmed(before, ran, tests))
    if not tests:
        problems.append("pytest found no new test in the file, and none that changed.")
    second = {each.id: each.outcome for each in again.cases} if again is not None else {}
    for test in tests:
        problem = _green(test, second) if purpose == "existing" else _red(test, before.path, purpose)
        if problem:
            problems.append(f"{test.id} {problem}")
    return Verdict(tests, tuple(problems))


def _is_new(case: str, before: Before, written: list[str]) -> bool:
    return (case not in before.outcomes and before.collected) or _function_of(case, before.path) in written


def _function_of(case: str, path: str) -> str:
    return case.removeprefix(f"{path}::").split("[", 1)[0]


def _harmed(before: Before, ran: RunResult, new: tuple[TestCase, ...]) -> Iterator[str]:
    """Old tests that passed and do not any more."""
    now = {each.id: each.outcome for each in ran.cases}
    changed = {each.id for each in new}
    for case, outcome in before.outcomes.items():
        if case not in now:
            yield f"{case} was there before and is not run any more."
        elif outcome == "passed" and now[case] != "passed" and case not in changed:
            yield f"{case} passed before the change of the test file and is {now[case]} with it."


def _red(test: TestCase, path: str, purpose: Purpose) -> str:
    """Why a test does not fail as it should; empty when it does."""
    missing = test.message.startswith(MISSING)
    if test.outcome == "error" and not (purpose == "feature" and missing):
        return f"fails before it begins ({test.message}), which is a mistake of the test."
    if test.outcome not in ("failed", "error"):
        return f"is {test.outcome} on the code as it is; it has to fail there."
    inside = not test.frames or test.frames[-1].path == path
    mistakes = _MISTAKES if purpose == "feature" else (*_MISTAKES, "ImportError", "ModuleNotFoundError")
    if inside and test.message.startswith(mistakes):
        return f"fails by a mistake of the test itself ({test.message})."
    return ""


def _green(test: TestCase, second: Mapping[str, str]) -> str:
    if test.outcome != "passed":
        return f"is {test.outcome} on the code as it is ({test.message}); it has to pass there."
    if second and second.get(test.id) != "passed":
        return "passed, and did not when it was run again: it is flaky."
    return ""


def _uncollected(before: Before, written: list[str], ran: RunResult) -> Verdict:
    """What is wanted is missing so that the file cannot even be imported: all its new tests are red."""
    errors = [each for each in ran.cases if each.outcome == "error"]
    wrong = [each for each in errors if not each.message.startswith(MISSING)]
    if wrong or not errors:
        said = "\n".join(each.detail or each.message for each in wrong)
        return Verdict((), (f"The test file cannot be collected: {ran.reason}\n{said}".strip(),))
    if not written:
        return Verdict((), ("The file holds no new test, and none that changed.",))
    names = [f"{before.path}::{name}" for name in written]
    return Verdict(tuple(TestCase(id=name, outcome="error", message=errors[0].message) for name in names), ())
