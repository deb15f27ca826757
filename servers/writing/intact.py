"""Whether a test file's new text keeps all that its old tests say: a check on the syntax trees, not a wish in a prompt.

What may be done is listed, and everything else is a violation: new definitions, new imports and new constants that
take no name the old file uses; new lines at the end of an old test; new cases in an old list of parameters. An old
statement that is moved, wrapped, changed or gone is a violation, whatever it was replaced by.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from servers.search.source import FUNCTIONS, Unreadable, parse
from servers.writing import at_import, newcomers
from servers.writing.newcomers import Names

Function = ast.FunctionDef | ast.AsyncFunctionDef
DEFINITIONS = (*FUNCTIONS, ast.ClassDef)
_ENDS = (ast.Return, ast.Raise, ast.Yield, ast.YieldFrom, ast.Global, ast.Nonlocal)


def weakened(old: str, new: str) -> tuple[str, ...]:
    """How `new` weakens the tests of `old`, in words; empty when it only adds.

    A text that is no valid Python cannot be compared, which is said as well.
    """
    try:
        before, after = parse(old), parse(new)
    except Unreadable as error:
        return (f"the test file cannot be parsed, so its tests cannot be compared: {error}",)
    try:
        return tuple(_scope(before.body, after.body, Names.of(before, after), ""))
    except RecursionError:
        return ("the test file is nested too deeply for its tests to be compared",)


def _scope(old: Sequence[ast.stmt], new: Sequence[ast.stmt], names: Names, owner: str) -> Iterator[str]:
    """Violations in a module's or class's body; `owner` is the class's name with a dot, or empty."""
    matched: set[ast.stmt] = set()
    # Definitions by name and order; a second one of a name would take the place of the first.
    for name in dict.fromkeys(each.name for each in old if isinstance(each, DEFINITIONS)):
        were = [each for each in old if isinstance(each, DEFINITIONS) and each.name == name]
        are = [each for each in new if isinstance(each, DEFINITIONS) and each.name == name]
        matched.update(are)
        if len(are) < len(were):
            yield f"{owner}{name} is gone from where it was"
        elif len(are) > len(were):
            yield f"{owner}{name} is defined again, which takes the place of the old one"
        else:
            for one, other in zip(were, are, strict=True):
                yield from _definition(one, other, names, owner)
    yield from _order(old, new, owner)
    rest = [each for each in new if not isinstance(each, DEFINITIONS)]
    for statement in old:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield from _imports_kept(statement, rest)
        elif not isinstance(statement, DEFINITIONS):
            at = next((each for each in rest if each not in matched and _extends(statement, each, names)), None)
            if at is None:
                yield f"line {statement.lineno} is gone or changed: {ast.unparse(statement)[:100]}"
            else:
                matched.add(at)
    for statement in new:
        if statement not in matched:
            yield from newcomers.problems(statement, names, owner)


def _order(old: Sequence[ast.stmt], new: Sequence[ast.stmt], owner: str) -> Iterator[str]:
    """What runs when the file is imported runs in the same order: constants, decorators, plain statements."""
    plain = (*DEFINITIONS, ast.Import, ast.ImportFrom)
    before = [ast.dump(each) for each in old if not isinstance(each, plain)]
    after = [ast.dump(each) for each in new if not isinstance(each, plain)]
    kept = [each for each in before if each in after]
    if [each for each in dict.fromkeys(after) if each in kept] != list(dict.fromkeys(kept)):
        yield f"statements of {owner.rstrip('.') or 'the file'} are in another order than they were"


def _imports_kept(statement: ast.Import | ast.ImportFrom, rest: Sequence[ast.stmt]) -> Iterator[str]:
    there = {each for one in rest if isinstance(one, ast.Import | ast.ImportFrom) for each in newcomers.imported(one)}
    for each in newcomers.imported(statement):
        if each not in there:
            yield f"the import of {each.name} is gone or changed"


def _definition(old: ast.stmt, new: ast.stmt, names: Names, owner: str) -> Iterator[str]:
    if isinstance(old, ast.ClassDef) and isinstance(new, ast.ClassDef):
        if _dumps([*old.bases, *old.keywords]) != _dumps([*new.bases, *new.keywords]):
            yield f"{owner}{old.name} has other base classes than before"
        if _dumps(old.decorator_list) != _dumps(new.decorator_list):
            yield f"{owner}{old.name} has other decorators than before"
        yield from newcomers.overriding_old(old, new, names, owner)
        yield from _scope(old.body, new.body, names, f"{owner}{old.name}.")
    elif isinstance(old, Function) and type(old) is type(new) and isinstance(new, Function):
        yield from _function(old, new, names, f"{owner}{old.name}")
    else:
        yield f"{owner}{getattr(old, 'name', '')} is another kind of definition than before"


def _function(old: Function, new: Function, names: Names, name: str) -> Iterator[str]:
    is_test = old.name.startswith("test")
    if ast.dump(old.args) != ast.dump(new.args) or _dumps([old.returns]) != _dumps([new.returns]):
        yield f"{name} takes other arguments than before"
    decorated = len(old.decorator_list) == len(new.decorator_list) and all(
        ast.dump(one) == ast.dump(other) or (is_test and _more_cases(one, other, names))
        for one, other in zip(old.decorator_list, new.decorator_list, strict=True)
    )
    if not decorated:
        yield f"{name} has other decorators than before"
    added = new.body[len(old.body) :]
    if _dumps(old.body) != _dumps(new.body[: len(old.body)]):
        gone = [each for each in old.body if ast.dump(each) not in _dumps(new.body)]
        what = f": `{ast.unparse(gone[0])[:100]}` is not there any more" if gone else ""
        more = "; lines may be added at its end only" if is_test else ""
        yield f"{name} no longer begins with what it did{what}{more}"
    elif added and not is_test:
        yield f"{name} is no test, so tests may depend on it as it is; write a new one"
    elif any(isinstance(node, _ENDS) or newcomers.is_skip(node) for each in added for node in _own(each)):
        yield f"{name}: what is added returns, raises, yields or skips, which changes what the test is"
    elif taken := sorted(_stored(added) & (_loaded(old.body) - _stored(old.body) - _arguments(old))):
        yield f"{name}: what is added binds {', '.join(taken)}, which the test takes from outside before"


def _arguments(function: Function) -> set[str]:
    return {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}


def _loaded(body: Sequence[ast.stmt]) -> set[str]:
    nodes = [node for statement in body for node in ast.walk(statement)]
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def _stored(body: Sequence[ast.stmt]) -> set[str]:
    """Names that statements bind in their function."""
    found = set[str]()
    for node in (node for statement in body for node in _own(statement)):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, DEFINITIONS):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {each.called for each in newcomers.imported(node)}
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
    return found


def _own(statement: ast.stmt) -> Iterator[ast.AST]:
    """The nodes of a statement, those of functions defined in it left out."""
    stack: list[ast.AST] = [statement]
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, (*FUNCTIONS, ast.Lambda)):
            stack += ast.iter_child_nodes(node)


def _extends(old: ast.stmt, new: ast.stmt, names: Names) -> bool:
    """Whether a statement is what it was, or a list of parameters that has got more elements."""
    if ast.dump(old) == ast.dump(new):
        return True
    if not isinstance(old, ast.Assign | ast.AnnAssign) or not names.may_grow(old):
        return False
    if isinstance(old, ast.Assign) and isinstance(new, ast.Assign):
        return _dumps(old.targets) == _dumps(new.targets) and _longer(old.value, new.value, names)
    if isinstance(old, ast.AnnAssign) and isinstance(new, ast.AnnAssign) and old.value and new.value:
        same = _dumps([old.target, old.annotation]) == _dumps([new.target, new.annotation])
        return same and _longer(old.value, new.value, names)
    return False


def _more_cases(old: ast.expr, new: ast.expr, names: Names) -> bool:
    """Whether two decorators are `parametrize` with the same parameters, the new one with more cases at the end."""
    if not (isinstance(old, ast.Call) and isinstance(new, ast.Call)) or ast.dump(old.func) != ast.dump(new.func):
        return False
    if not (isinstance(old.func, ast.Attribute) and old.func.attr == "parametrize"):
        return False
    if len(old.args) != 2 or len(new.args) != 2 or ast.dump(old.args[0]) != ast.dump(new.args[0]):
        return False
    if [each.arg for each in old.keywords] != [each.arg for each in new.keywords]:
        return False
    same = [each.arg not in newcomers.GROWING for each in old.keywords]
    pairs = [(one.value, other.value) for one, other in zip(old.keywords, new.keywords, strict=True)]
    return all(
        ast.dump(one) == ast.dump(other) or (not fixed and _longer(one, other, names))
        for fixed, (one, other) in zip([False, *same], [(old.args[1], new.args[1]), *pairs], strict=True)
    )


def _longer(old: ast.expr, new: ast.expr, names: Names) -> bool:
    """Whether two literal lists or tuples begin alike, and the new one goes on with what runs nothing at import."""
    if (
        not isinstance(old, ast.List | ast.Tuple)
        or type(old) is not type(new)
        or not isinstance(new, ast.List | ast.Tuple)
    ):
        return False
    if len(new.elts) <= len(old.elts) or _dumps(old.elts) != _dumps(new.elts[: len(old.elts)]):
        return False
    return not any(problem for each in new.elts[len(old.elts) :] for problem in at_import.problems(each, names.origins))


def _dumps(nodes: Sequence[ast.AST | None]) -> list[str]:
    return [ast.dump(node) if node is not None else "" for node in nodes]
