"""Names: the wrong variable, attribute, keyword or exception, and what the failure calls misspelt."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator

from servers.search.scope import nearest, parameters
from servers.search.source import shallow
from servers.search.template import Rewrite, Site, Template, template

_BUILTIN_TYPES: dict[str, type] = {
    kind.__name__: kind for kind in (str, bytes, list, dict, set, frozenset, tuple, int, float)
}
_HEADED = (ast.Return, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.If, ast.While, ast.For)
_FAMILIES = (
    ("KeyError", "IndexError", "LookupError", "AttributeError"),
    ("ValueError", "TypeError", "KeyError", "ArithmeticError", "ZeroDivisionError"),
    ("OSError", "FileNotFoundError", "PermissionError", "NotADirectoryError", "IsADirectoryError"),
    ("StopIteration", "GeneratorExit", "IndexError"),
    ("AttributeError", "TypeError", "NameError"),
    ("UnicodeDecodeError", "UnicodeError", "ValueError"),
    ("RuntimeError", "NotImplementedError", "ValueError"),
    ("AssertionError", "ValueError", "TypeError"),
)


def _renamed(site: Site, node: ast.AST, names: Iterable[str], weight: float = 1.0) -> Iterator[Rewrite]:
    for index, name in enumerate(names):
        yield site.replace(node, name, weight=weight * (1.0 - 0.08 * index))


@template(2.0, ast.Name)
def nearest_name(site: Site) -> Iterator[Rewrite]:
    """Use the existing name nearest to one that is not defined."""
    assert isinstance(site.node, ast.Name)
    if site.node.id in site.clues.names("name"):
        offered = (*site.names.visible(site.node), *sorted(vars(builtins)))
        yield from _renamed(site, site.node, nearest(site.node.id, offered, 6, 0.5))


@template(2.0, ast.Attribute)
def nearest_attribute(site: Site) -> Iterator[Rewrite]:
    """Use the existing attribute nearest to one that does not exist."""
    node = site.node
    assert isinstance(node, ast.Attribute)
    if node.attr not in site.clues.names("attribute"):
        return
    owners = [wrong.owner for wrong in site.clues.wrong if wrong.kind == "attribute" and wrong.name == node.attr]
    offered = [name for owner in owners if owner in _BUILTIN_TYPES for name in dir(_BUILTIN_TYPES[owner])]
    offered += [*site.names.all_attributes, *site.names.functions]
    for name in nearest(node.attr, offered, 6, 0.45):
        yield _attribute(site, node, name)


@template(2.0, ast.Constant)
def nearest_key(site: Site) -> Iterator[Rewrite]:
    """Use the string of this file nearest to a key that is not there."""
    assert isinstance(site.node, ast.Constant)
    if isinstance(site.node.value, str) and site.node.value in site.clues.names("key"):
        found = nearest(site.node.value, site.names.strings, 5, 0.4)
        yield from _renamed(site, site.node, [_quoted(site, text) for text in found])


@template(2.0, ast.Call)
def nearest_keyword(site: Site) -> Iterator[Rewrite]:
    """Use the parameter nearest to a keyword argument that was not expected."""
    node = site.node
    assert isinstance(node, ast.Call)
    wrong = site.clues.names("keyword")
    for keyword in node.keywords:
        if keyword.arg is None or keyword.arg not in wrong:
            continue
        called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        function = site.names.functions.get(called)
        every = [name for each in site.names.functions.values() for name in parameters(each.args)]
        offered = parameters(function.args) if function else every
        start, _ = site.source.span(keyword)
        for name in nearest(keyword.arg, offered, 5, 0.3):
            yield Rewrite(start, start + len(keyword.arg), name, f"keyword `{keyword.arg}` becomes `{name}`")


@template(2.0, ast.ImportFrom)
def nearest_import(site: Site) -> Iterator[Rewrite]:
    """Import the name the file uses elsewhere that is nearest to one that cannot be imported."""
    assert isinstance(site.node, ast.ImportFrom)
    used = [node.id for node in ast.walk(site.source.tree) if isinstance(node, ast.Name)]
    for alias in site.node.names:
        if alias.name in site.clues.names("import"):
            for name in nearest(alias.name, [*used, *site.names.all_attributes], 5, 0.5):
                yield site.replace(alias, f"{name} as {alias.asname or alias.name}")


@template(0.75, ast.Name)
def wrong_variable(site: Site) -> Iterator[Rewrite]:
    """Use another variable of the same function."""
    node = site.node
    assert isinstance(node, ast.Name)
    called = isinstance(site.parent, ast.Call) and site.parent.func is node
    if called:
        modules = [name for name in site.names.functions if name in site.names.visible(node)]
        yield from _renamed(site, node, nearest(node.id, modules, 4, 0.35), 0.7)
        return
    inner = site.names.inner(node)
    if node.id in vars(builtins) and node.id not in inner:
        return
    weight = 1.0 if isinstance(node.ctx, ast.Load) else 0.5
    yield from _renamed(site, node, nearest(node.id, inner, 7), weight)
    outer = [name for name in site.names.visible(node) if name not in inner and name not in site.names.functions]
    yield from _renamed(site, node, nearest(node.id, outer, 2, 0.6), 0.6 * weight)


def _attribute(site: Site, node: ast.Attribute, name: str, weight: float = 1.0) -> Rewrite:
    _, end = site.source.span(node)
    return Rewrite(end - len(node.attr), end, name, f"attribute `{node.attr}` becomes `{name}`", weight)


@template(0.65, ast.Attribute)
def wrong_attribute(site: Site) -> Iterator[Rewrite]:
    """Use another attribute of the same object."""
    node = site.node
    assert isinstance(node, ast.Attribute)
    if not site.text(node).endswith(node.attr):
        return
    same = site.names.attributes.get(node.value.id, ()) if isinstance(node.value, ast.Name) else ()
    for index, name in enumerate(nearest(node.attr, same, 5)):
        yield _attribute(site, node, name, 1.0 - 0.1 * index)
    for name in nearest(node.attr, site.names.all_attributes, 3, 0.6):
        if name not in same:
            yield _attribute(site, node, name, 0.5)


@template(0.4, ast.Name)
def attribute_for_local(site: Site) -> Iterator[Rewrite]:
    """Use the attribute of that name on `self`, or the local variable."""
    node = site.node
    assert isinstance(node, ast.Name)
    if "self" in site.names.inner(node) and node.id in site.names.attributes.get("self", ()):
        yield site.replace(node, f"self.{node.id}")


@template(0.4, ast.Attribute)
def local_for_attribute(site: Site) -> Iterator[Rewrite]:
    """Use the local variable of that name, not the attribute."""
    node = site.node
    assert isinstance(node, ast.Attribute)
    if isinstance(node.value, ast.Name) and node.attr in site.names.inner(node):
        yield site.replace(node, node.attr)


@template(0.55, ast.ExceptHandler, ast.Raise)
def exception_type(site: Site) -> Iterator[Rewrite]:
    """Catch or raise a related exception."""
    node = site.node
    assert isinstance(node, (ast.ExceptHandler, ast.Raise))
    kind = node.type if isinstance(node, ast.ExceptHandler) else node.exc
    if isinstance(kind, ast.Call):
        kind = kind.func
    for name in kind.elts if isinstance(kind, ast.Tuple) else [kind]:
        if isinstance(name, ast.Name):
            said = [*site.clues.not_raised, *site.clues.exceptions]
            hinted = [other for other in said if other != name.id and other.endswith("Error")]
            related = [other for family in _FAMILIES if name.id in family for other in family if other != name.id]
            others = list(dict.fromkeys([*hinted, *related]))[:6]
            yield from _renamed(site, name, [other for other in others if other != "AssertionError"])


@template(0.6, ast.Tuple)
def exchanged_names(site: Site) -> Iterator[Rewrite]:
    """Exchange two neighbours in a tuple."""
    assert isinstance(site.node, ast.Tuple)
    for left, right in zip(site.node.elts, site.node.elts[1:], strict=False):
        if ast.dump(left) != ast.dump(right):
            yield site.swap(left, right, "two neighbours of a tuple are exchanged")


@template(0.55, *_HEADED)
def exchanged_variables(site: Site) -> Iterator[Rewrite]:
    """Exchange two variables of one statement, unless they are arguments of one call (see `exchanged_arguments`)."""
    assert isinstance(site.node, ast.stmt)
    inner = site.names.inner(site.node)
    reads = [node for node in shallow(site.node) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
    reads = sorted((node for node in reads if node.id in inner), key=lambda node: site.source.span(node))[:7]
    for index, left in enumerate(reads):
        for right in reads[index + 1 :]:
            around = site.source.parents.get(left)
            if left.id != right.id and not (isinstance(around, ast.Call) and {left, right} <= {*around.args}):
                yield site.swap(left, right, f"`{left.id}` and `{right.id}` are exchanged")


def _quoted(site: Site, text: str) -> str:
    """A string literal in the quotes the node has."""
    quoted = repr(text)
    if site.text(site.node).startswith('"') and '"' not in text and "\\" not in quoted:
        return f'"{text}"'
    return quoted


TEMPLATES: tuple[Template, ...] = (
    nearest_name, nearest_attribute, nearest_key, nearest_keyword, nearest_import, wrong_variable, wrong_attribute,
    attribute_for_local, local_for_attribute, exception_type, exchanged_names, exchanged_variables,
)  # fmt: skip
