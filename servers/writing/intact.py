"""Whether a test file's new text leaves old tests what they are: a check on the syntax trees, not a wish in a prompt.

Everything old stays, statement for statement and in its order; only lists of cases may get longer. What is new is let
in by `newcomers`, behind all old tests, so that nothing of it runs before or within them, not even by what it would
leave behind. Both say what is allowed, so that what nobody thought of is refused.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator, Sequence

from servers.search.source import FUNCTIONS, Unreadable, parse
from servers.writing import newcomers
from servers.writing.inert import Origins
from servers.writing.newcomers import Names

DEFINITIONS = (*FUNCTIONS, ast.ClassDef)


def weakened(old: str | None, new: str) -> tuple[str, ...]:
    """How `new` may weaken old tests, in words; empty when it cannot. `old` is None for a file of its own.

    Of that one only what it does while it is imported can reach the tests of other files before they run. A text that
    is no valid Python cannot be compared, which is said as well.
    """
    try:
        before, after = parse(old or ""), parse(new)
    except Unreadable as error:
        return (f"the test file cannot be parsed, so its tests cannot be compared: {error}",)
    if before.body and _coding(old or "") != _coding(new):
        return ("the line that says the file's encoding is not what it was, so that texts are read as others",)
    try:
        return tuple(_compared(before, after) if before.body else newcomers.effects(after.body))
    except RecursionError:
        return ("the test file is nested too deeply for its tests to be compared",)


def _coding(text: str) -> list[str]:
    """What the first two lines say of the encoding (PEP 263); the tree of a text does not have it."""
    return re.findall(r"(?m)^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", "\n".join(text.splitlines()[:2]))


def _compared(before: ast.Module, after: ast.Module) -> Iterator[str]:
    names, kept, lost = Names.of(before, after), dict[int, ast.stmt](), set[str]()
    growing = _growing(before, names.origins)
    at = 0
    for old in before.body:
        rest = range(at, len(after.body))
        place = next((number for number in rest if _stays(old, after.body[number], names.origins, growing)), None)
        if place is None:
            yield _lost(old, after.body)
            lost.add(_name(old))
        else:
            kept[place], at = old, place + 1
    last = max((place for place, old in kept.items() if isinstance(old, DEFINITIONS)), default=-1)
    for place, new in enumerate(after.body):
        if place in kept:
            yield from newcomers.problems(_more_imported(kept[place], new), names)
        elif _name(new) not in lost:
            yield from newcomers.problems(new, names)
            if place < last and isinstance(new, DEFINITIONS):
                yield f"{new.name} stands before old tests; what is new comes behind all of them"


def _name(statement: ast.stmt) -> str:
    return statement.name if isinstance(statement, DEFINITIONS) else ""


def _stays(old: ast.stmt, new: ast.stmt, origins: Origins, growing: frozenset[str]) -> bool:
    """Whether a statement is what it was, but for more cases and more names imported from the same place."""
    if type(old) is not type(new):
        return False
    if isinstance(old, ast.ImportFrom) and isinstance(new, ast.ImportFrom):
        names, now = _dumps(old.names), _dumps(new.names)
        return (old.module, old.level, names) == (new.module, new.level, [each for each in now if each in names])
    if ast.dump(old) == ast.dump(new):
        return True
    if _name(old) != _name(new):
        return False
    cut = copy.deepcopy(new)
    for less, more in zip(_cases(old, origins, growing), _cases(cut, origins, growing), strict=False):
        if all(origins.data(each) for each in more.elts[len(less.elts) :]):
            del more.elts[len(less.elts) :]
    return ast.dump(old) == ast.dump(cut)


def _cases(statement: ast.stmt, origins: Origins, growing: frozenset[str]) -> Iterator[ast.List | ast.Tuple]:
    """The lists of cases in a statement: what `parametrize` is given in a decorator, and constants it is given."""
    found = list[ast.expr]()
    for node in ast.walk(statement):
        for decorator in node.decorator_list if isinstance(node, DEFINITIONS) else ():
            found += _given(decorator, origins)
    if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        if all(isinstance(each, ast.Name) and each.id in growing for each in targets):
            found.append(statement.value)
    return (each for each in found if isinstance(each, ast.List | ast.Tuple))


def _given(decorator: ast.expr, origins: Origins) -> list[ast.expr]:
    """The cases and their names that a decorator gives a test, if it is `pytest.mark.parametrize`."""
    if not isinstance(decorator, ast.Call) or "pytest.mark.parametrize" not in origins.paths(decorator.func):
        return []
    return [*decorator.args[1:2], *(each.value for each in decorator.keywords if each.arg in ("argvalues", "ids"))]


def _growing(tree: ast.Module, origins: Origins) -> frozenset[str]:
    """Names that nothing in the file reads but `parametrize`: more elements are more cases, and nothing else."""
    nodes = list(ast.walk(tree))
    decorators = [each for node in nodes if isinstance(node, DEFINITIONS) for each in node.decorator_list]
    given = [each for decorator in decorators for each in _given(decorator, origins)]
    loads = [node for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
    elsewhere = {node.id for node in loads if node not in given}
    elsewhere |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return frozenset(each.id for each in given if isinstance(each, ast.Name)) - elsewhere


def _more_imported(old: ast.stmt, new: ast.stmt) -> ast.stmt:
    """What a kept statement imports beyond what it did; nothing for any other one."""
    if not isinstance(old, ast.ImportFrom) or not isinstance(new, ast.ImportFrom):
        return ast.Pass()
    had = _dumps(old.names)
    more = [each for each in new.names if ast.dump(each) not in had]
    return ast.ImportFrom(module=new.module, names=more, level=new.level)


def _lost(old: ast.stmt, after: Sequence[ast.stmt]) -> str:
    if not isinstance(old, DEFINITIONS):
        return f"line {old.lineno} is gone, changed or moved: {ast.unparse(old)[:100]}"
    now = next((each for each in after if isinstance(each, DEFINITIONS) and each.name == old.name), None)
    if now is None:
        return f"{old.name} is gone"
    was, is_ = ast.unparse(old).splitlines(), ast.unparse(now).splitlines()
    gone = next((f"`{line.strip()[:100]}` is not there any more" for line in was if line not in is_), "")
    more = next((f"`{line.strip()[:100]}` was added" for line in is_ if line not in was), "its place is another one")
    return f"{old.name} is not what it was: {gone or more}. Leave it as it is, and write a new test"


def _dumps(nodes: Sequence[ast.AST]) -> list[str]:
    return [ast.dump(node) for node in nodes]
