"""Whether new tests are what they should be, by what came of running them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from contracts.test_runner import RunResult, TestCase
from contracts.test_writer import Purpose
from servers.search.source import FUNCTIONS, Unreadable, parse

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
        """The test functions of `new` that are new, as `name` or `Class::name`; old ones are what they were."""
        old = functions_of(self.text)
        return [name for name in functions_of(new) if name not in old]


@dataclass(frozen=True)
class Verdict:
    """The new tests, and why they do not hold; no reasons: they do."""

    tests: tuple[TestCase, ...]
    problems: tuple[str, ...]


def empty_tests(names: Sequence[str], new: str) -> Iterator[str]:
    """Why a test that fails or passes says nothing: its outcome does not depend on any code."""
    for name, node in functions_of(new).items():
        if name not in names:
            continue
        for statement in node.body:
            called = statement.value if isinstance(statement, ast.Expr) else None
            if isinstance(statement, ast.Raise) or (called is not None and _ends(called)):
                yield f"{name} ends by itself whatever the code does: {ast.unparse(statement)[:100]}"
        for inner in ast.walk(node):
            if isinstance(inner, ast.Assert) and not any(
                isinstance(each, ast.Name | ast.Call | ast.Attribute) for each in ast.walk(inner.test)
            ):
                yield f"{name} asserts something about constants only: {ast.unparse(inner)[:100]}"


def _ends(node: ast.expr) -> bool:
    """Whether it ends a test without judging: `pytest.skip()`, `self.fail()`, …"""
    match node:
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
            return name in _BARE
        case _:
            return False


def judged(purpose: Purpose, before: Before, new: str, ran: RunResult, again: RunResult | None = None) -> Verdict:
    """Judge a run of the whole file with the change; `again` is a second one, to find what is flaky."""
    written = before.written(new)
    if ran.outcome == "collection_error" and purpose == "feature":
        return _uncollected(before, written, ran)
    if ran.outcome not in ("passed", "failed"):
        said = "\n".join(each.detail or each.message for each in ran.cases if each.outcome == "error")
        return Verdict((), (f"The test file could not be run: {ran.reason}\n{said}".strip(),))
    tests = tuple(each for each in ran.cases if _is_new(each.id, before, written))
    problems = [*_harmed(before, ran), *_early(before, written, ran)]
    if not tests:
        problems.append("pytest found no new test in the file.")
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


def _harmed(before: Before, ran: RunResult) -> Iterator[str]:
    """Old tests that are not what they were: the code is the same, so their outcomes have to be."""
    now = {each.id: each.outcome for each in ran.cases}
    for case, outcome in before.outcomes.items():
        if case not in now:
            yield f"{case} was there before and is not run any more."
        elif now[case] != outcome:
            yield f"{case} was {outcome} before the change of the test file and is {now[case]} with it."


def _early(before: Before, written: list[str], ran: RunResult) -> Iterator[str]:
    """New tests that run before an old one, which then sees what they leave behind."""
    old = [number for number, each in enumerate(ran.cases) if each.id in before.outcomes]
    for each in ran.cases[: max(old, default=0)]:
        if _function_of(each.id, before.path) in written:
            yield f"{each.id} runs before old tests, which then depend on what it leaves behind. Have it run last."


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
    if before.outcomes:
        return Verdict((), (f"The old tests of the file cannot be run any more, import inside of tests: {ran.reason}",))
    errors = [each for each in ran.cases if each.outcome == "error"]
    wrong = [each for each in errors if not each.message.startswith(MISSING)]
    if wrong or not errors:
        said = "\n".join(each.detail or each.message for each in wrong)
        return Verdict((), (f"The test file cannot be collected: {ran.reason}\n{said}".strip(),))
    if not written:
        return Verdict((), ("The file holds no new test.",))
    names = [f"{before.path}::{name}" for name in written]
    return Verdict(tuple(TestCase(id=name, outcome="error", message=errors[0].message) for name in names), ())
