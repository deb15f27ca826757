"""Conditions: one missing, one too many, a guard before a statement."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from servers.search.source import FUNCTIONS
from servers.search.template import Rewrite, Site, Template, shown, template

_SIMPLE = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.Return, ast.Raise, ast.Break, ast.Continue)


def _used(site: Site, node: ast.AST) -> list[str]:
    """Plain variables and attributes a statement reads, in order, functions it calls left out."""
    called = {call.func for call in ast.walk(node) if isinstance(call, ast.Call)}
    bound = set(site.names.inner(node)) | set(site.names.inner(site.node))
    found: list[str] = []
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load) and part not in called and part.id in bound:
            if part.id not in ("self", "cls"):
                found.append(part.id)
        elif isinstance(part, ast.Attribute) and part not in called and ast.unparse(part.value) == "self":
            found.append(f"self.{part.attr}")
    return list(dict.fromkeys(found))


def _conditions(site: Site) -> list[str]:
    """Conditions and comparisons written elsewhere in the same function."""
    function = site.function
    found: list[str] = []
    for node in ast.walk(function) if function else ():
        if isinstance(node, (ast.Compare, ast.Call)) and isinstance(
            site.source.parents.get(node), (ast.If, ast.While, ast.BoolOp, ast.IfExp, ast.comprehension)
        ):
            found.append(site.text(node))
    return list(dict.fromkeys(found))


def _results(site: Site) -> list[str]:
    """Values the function returns already, then the usual empty ones."""
    function = site.function
    found: list[str] = []
    for node in ast.walk(function) if function else ():
        if isinstance(node, ast.Return) and isinstance(node.value, (ast.Constant, ast.Name, ast.List, ast.Dict)):
            found.append(site.text(node.value))
    usual = ["None", "[]", "0", "False", "True", '""', "{}"]
    known = {"None", "True", "False", *site.names.visible(site.node)}
    return list(dict.fromkeys([text for text in found if not text.isidentifier() or text in known] + usual))


def _urgency(site: Site) -> float:
    """A guard is likelier where the failure is a crash than where a wrong value came out."""
    crashes = [name for name in site.clues.exceptions if name not in ("AssertionError", "Failed")]
    return 1.6 if crashes else 1.0


@template(0.5, ast.If, ast.While, ast.IfExp, ast.comprehension)
def added_condition(site: Site) -> Iterator[Rewrite]:
    """Ask for one thing more, or let one thing more pass."""
    assert isinstance(site.node, (ast.If, ast.While, ast.IfExp, ast.comprehension))
    for test in site.node.ifs[:1] if isinstance(site.node, ast.comprehension) else [site.node.test]:
        text = site.text(test) if not isinstance(test, (ast.BoolOp, ast.IfExp)) else f"({site.text(test)})"
        own = site.text(test)
        for name in [name for name in _used(site, test)[:4] if name != own]:
            yield site.replace(test, f"{name} and {text}", f"also asks for `{name}`")
            yield site.replace(test, f"not {name} or {text}", f"also passes for `not {name}`", 0.9)
        local = [name for name in site.names.inner(test) if name not in ("self", "cls") and name not in own]
        others = [(other, 0.9) for other in _conditions(site)[:5] if other not in own]
        others += [(other, 0.7) for name in local[:4] for other in (name, f"not {name}")]
        for other, weight in others:
            yield site.replace(test, f"{text} and {other}", f"also asks for `{shown(other)}`", weight)
            yield site.replace(test, f"{text} or {other}", f"also passes for `{shown(other)}`", weight * 0.9)


@template(0.45, ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
def added_filter(site: Site) -> Iterator[Rewrite]:
    """Filter a comprehension."""
    assert isinstance(site.node, (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp))
    last = site.node.generators[-1]
    if isinstance(last.target, ast.Name) and not last.ifs:
        _, end = site.source.span(last.iter)
        if site.source.text[end : end + 1] in ("]", "}", ")"):
            for test in (last.target.id, f"{last.target.id} is not None", f"not {last.target.id}"):
                yield Rewrite(end, end, f" if {test}", f"only where `{test}`")


@template(0.5, *_SIMPLE, ast.For, ast.While, ast.If)
def early_return(site: Site) -> Iterator[Rewrite]:
    """Return early for an empty, absent or special value."""
    node = site.node
    assert isinstance(node, ast.stmt)
    if site.function is None or site.source.line_span(node) is None:
        return
    generator = any(isinstance(part, (ast.Yield, ast.YieldFrom)) for part in ast.walk(site.function))
    tests: list[tuple[str, float]] = []
    head: ast.AST = node.test if isinstance(node, (ast.If, ast.While)) else getattr(node, "iter", node)
    names = _used(site, head)[:4]
    urgency = _urgency(site)
    tests += [(f"not {name}", urgency) for name in names]
    tests += [(f"{name} is None", 0.7 * urgency) for name in names]
    tests += [(f"{name} <= 0", 0.5) for name in names[:2]]
    tests += [(other, 0.6) for other in _conditions(site)[:3]]
    results = [] if generator else _results(site)[:6]
    for test, weight in tests:
        for index, result in enumerate(results):
            lines = (f"if {test}:", f"{site.step()}return {result}")
            yield site.insert_before(node, lines, f"returns {result} early if `{test}`", weight * (1.0 - 0.1 * index))
        if generator:
            yield site.insert_before(node, (f"if {test}:", f"{site.step()}return"), f"ends early if `{test}`", weight)


@template(0.5, *_SIMPLE, ast.If)
def skipped_round(site: Site) -> Iterator[Rewrite]:
    """Skip or leave a loop for an empty, absent or repeated value."""
    node = site.node
    assert isinstance(node, ast.stmt)
    loop = site.source.enclosing(node, (ast.For, ast.AsyncFor, ast.While))
    if loop is None or site.source.enclosing(node, FUNCTIONS) is not site.function:
        return
    if site.source.line_span(node) is None:
        return
    names = _used(site, node.test if isinstance(node, ast.If) else node)[:4]
    urgency = _urgency(site)
    tests = [(f"not {name}", urgency) for name in names] + [(f"{name} is None", 0.7 * urgency) for name in names]
    tests += [
        (f"{one} {word} {other}", 0.7) for one in names for other in names if one != other for word in ("in", "==")
    ]
    for test, weight in tests:
        for word, factor in (("continue", 1.0), ("break", 0.7)):
            lines = (f"if {test}:", f"{site.step()}{word}")
            yield site.insert_before(node, lines, f"`{word}` if `{test}`", weight * factor)


@template(0.45, *_SIMPLE)
def conditional_statement(site: Site) -> Iterator[Rewrite]:
    """Do a statement only under a condition."""
    node = site.node
    assert isinstance(node, ast.stmt)
    if node.lineno != node.end_lineno or site.function is None or site.source.line_span(node) is None:
        return
    names = _used(site, node)[:4]
    indent = site.source.indent(node.lineno) + site.step()
    tests = [(name, 1.0) for name in names] + [(f"{name} is not None", 0.8) for name in names]
    tests += [(f"{one} not in {other}", 0.9) for one in names for other in names if one != other]
    tests += [(other, 0.9) for other in _conditions(site)[:5]]
    tests += [(f"not ({other})", 0.7) for other in _conditions(site)[:3]]
    for test, weight in tests:
        text = f"if {test}:{site.source.newline}{indent}{site.text(node)}"
        yield site.replace(node, text, f"only if `{shown(test)}`", weight)


@template(0.35, ast.If)
def dropped_condition(site: Site) -> Iterator[Rewrite]:
    """Do without a condition: its body always runs."""
    node = site.node
    assert isinstance(node, ast.If)
    span = site.source.line_span(node)
    if node.orelse or span is None or node.body[0].lineno == node.lineno:
        return
    outer, inner = site.source.indent(node.lineno), site.source.indent(node.body[0].lineno)
    start = site.source.lines[node.body[0].lineno - 1][0]
    lines = site.source.text[start : span[1]].split("\n")
    if all(line.startswith(inner) or not line.strip() for line in lines):
        text = "\n".join(outer + line[len(inner) :] if line.strip() else line for line in lines)
        yield Rewrite(span[0], span[1], text, f"does without the condition `{shown(site.text(node.test))}`")


@template(0.55, ast.If, ast.While)
def branch_word(site: Site) -> Iterator[Rewrite]:
    """Exchange `if` with `while` or `elif`."""
    node = site.node
    assert isinstance(node, (ast.If, ast.While))
    start, _ = site.source.span(node)
    text = site.source.text
    if text.startswith("elif", start):
        yield Rewrite(start, start + 4, "if", "`elif` becomes `if`")
    elif isinstance(node, ast.While):
        yield Rewrite(start, start + 5, "if", "`while` becomes `if`", 0.8)
    else:
        block = site.source.block(node)
        before = block[block.index(node) - 1] if node in block and block.index(node) else None
        if isinstance(before, ast.If):
            yield Rewrite(start, start + 2, "elif", "`if` becomes `elif`")
        if not node.orelse:
            yield Rewrite(start, start + 2, "while", "`if` becomes `while`", 0.8)


TEMPLATES: tuple[Template, ...] = (
    added_condition, added_filter, early_return, skipped_round, conditional_statement, dropped_condition, branch_word,
)  # fmt: skip
