"""Calls: another function of its family, arguments exchanged, dropped, added or wrapped."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from servers.search.scope import parameters
from servers.search.template import Rewrite, Site, Template, shown, template

_FAMILIES: tuple[tuple[str, ...], ...] = (
    ("min", "max"), ("any", "all"), ("append", "extend"), ("append", "appendleft"), ("pop", "popleft"),
    ("add", "discard"), ("add", "remove"), ("add", "update"), ("lower", "upper", "title", "capitalize"),
    ("strip", "lstrip", "rstrip"), ("startswith", "endswith"), ("find", "rfind", "index"), ("split", "rsplit"),
    ("keys", "values", "items"), ("sorted", "reversed", "list"), ("floor", "ceil", "trunc", "round"),
    ("int", "float", "round"), ("len", "sum", "max"), ("list", "set", "tuple", "sorted"), ("str", "repr"),
    ("removeprefix", "removesuffix"), ("union", "intersection", "difference", "symmetric_difference"),
    ("issubset", "issuperset"), ("heappush", "heappushpop", "heapreplace"), ("heappop", "nsmallest"),
    ("bisect_left", "bisect_right", "bisect"), ("insort_left", "insort_right"), ("isdigit", "isnumeric", "isalnum"),
    ("isalpha", "isalnum", "isdigit"), ("ljust", "rjust", "center"), ("partition", "rpartition"), ("match", "search"),
    ("search", "fullmatch", "match"), ("get", "pop", "setdefault"), ("encode", "decode"), ("readline", "read"),
    ("zip", "zip_longest"), ("permutations", "combinations", "product"), ("sin", "cos"), ("isinstance", "issubclass"),
    ("copy", "deepcopy"), ("loads", "dumps"), ("mean", "median"), ("islower", "isupper"), ("abs", "int"),
    ("union", "update"), ("most_common", "items"), ("divmod", "pow"),
)  # fmt: skip
_WRAPPERS = ("str", "int", "list", "abs", "len", "sorted", "float", "tuple", "set", "sum", "reversed", "bool")


def _relatives(name: str) -> list[str]:
    found = [other for family in _FAMILIES if name in family for other in family if other != name]
    return list(dict.fromkeys(found))


@template(0.8, ast.Call)
def related_call(site: Site) -> Iterator[Rewrite]:
    """Call the function it is most often confused with."""
    node = site.node
    assert isinstance(node, ast.Call)
    if isinstance(node.func, ast.Name):
        for index, other in enumerate(_relatives(node.func.id)):
            yield site.replace(node.func, other, weight=1.0 - 0.08 * index)
    elif isinstance(node.func, ast.Attribute) and site.text(node.func).endswith(node.func.attr):
        _, end = site.source.span(node.func)
        for index, other in enumerate(_relatives(node.func.attr)):
            what = f"`.{node.func.attr}` becomes `.{other}`"
            yield Rewrite(end - len(node.func.attr), end, other, what, 1.0 - 0.08 * index)


@template(0.85, ast.Call)
def exchanged_arguments(site: Site) -> Iterator[Rewrite]:
    """Exchange two arguments; less likely where each has the name of the parameter it is for.

    Names tell right from exchanged arguments well: Rice et al., Detecting argument selection defects, OOPSLA 2017.
    """
    node = site.node
    assert isinstance(node, ast.Call)
    wanted = _parameters_of_callee(site, node)
    plain = [argument for argument in node.args if not isinstance(argument, (ast.Starred, ast.GeneratorExp))]
    for i, left in enumerate(plain[:5]):
        for j in range(i + 1, min(len(plain), 5)):
            if site.text(left) != site.text(plain[j]):
                what = f"arguments {i + 1} and {j + 1} of `{shown(site.text(node.func))}` are exchanged"
                named = [_last_name(each) for each in (left, plain[j])]
                fits = j < len(wanted) and named == [wanted[i], wanted[j]]
                yield site.swap(left, plain[j], what, (1.0 - 0.1 * (j - i - 1)) * (0.1 if fits else 1.0))
    for left, right in zip(node.keywords, node.keywords[1:], strict=False):
        yield site.swap(left.value, right.value, f"the values of `{left.arg}` and `{right.arg}` are exchanged", 0.7)


@template(0.45, ast.Call)
def dropped_argument(site: Site) -> Iterator[Rewrite]:
    """Leave the last argument out."""
    node = site.node
    assert isinstance(node, ast.Call)
    parts: list[ast.AST] = [*node.args, *node.keywords]
    if len(parts) > 1:
        start, end = site.source.span(parts[-2])[1], site.source.span(parts[-1])[1]
        if site.source.span(parts[-2])[0] < start < end:
            yield Rewrite(start, end, "", f"the argument `{shown(site.text(parts[-1]))}` is left out")


@template(0.5, ast.Call)
def added_argument(site: Site) -> Iterator[Rewrite]:
    """Pass on a variable that the called function has a parameter of the same name for."""
    node = site.node
    assert isinstance(node, ast.Call)
    if any(isinstance(part, ast.GeneratorExp) for part in node.args):
        return
    called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    function = site.names.functions.get(called)
    given = {keyword.arg for keyword in node.keywords}
    visible = site.names.inner(node)
    parts: list[ast.AST] = [*node.args, *node.keywords]
    end = site.source.span(parts[-1])[1] if parts else site.source.span(node)[1] - 1
    glue = ", " if parts else ""
    if function:
        wanted = [name for name in parameters(function.args) if name not in ("self", "cls")]
        for name in [name for name in wanted[len(node.args) :] if name not in given and name in visible][:3]:
            yield Rewrite(end, end, f"{glue}{name}={name}", f"`{name}` is passed on")
    if called in ("sorted", "sort", "min", "max") and "reverse" not in given:
        if called in ("sorted", "sort"):
            yield Rewrite(end, end, f"{glue}reverse=True", "sorted the other way round", 0.9)
        if "key" not in given:
            yield Rewrite(end, end, f"{glue}key=len", "compared by length", 0.5)
            yield Rewrite(end, end, f"{glue}key=abs", "compared by absolute value", 0.4)
    if called in ("max", "min") and len(node.args) == 1 and "default" not in given:
        yield Rewrite(end, end, f"{glue}default=0", "an empty sequence gives 0", 0.6)


def _values(node: ast.Return | ast.Assign | ast.Call | ast.Compare | ast.For) -> list[ast.expr | None]:
    """The values a node takes: arguments, sides, what is looped over, assigned or returned."""
    if isinstance(node, ast.Call):
        return list(node.args[:3])
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    return [node.iter if isinstance(node, ast.For) else node.value]


@template(0.4, ast.Return, ast.Assign, ast.Call, ast.Compare, ast.For)
def converted_value(site: Site) -> Iterator[Rewrite]:
    """Convert a value, or take a copy."""
    node = site.node
    assert isinstance(node, (ast.Return, ast.Assign, ast.Call, ast.Compare, ast.For))
    for value in _values(node):
        if not isinstance(value, (ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.BinOp)):
            continue
        for index, wrapper in enumerate(_WRAPPERS):
            yield site.replace(value, f"{wrapper}({site.text(value)})", weight=1.0 - 0.05 * index)
        if not isinstance(value, ast.BinOp):
            for index, method in enumerate(("copy", "lower", "strip", "upper")):
                yield site.replace(value, f"{site.text(value)}.{method}()", weight=0.9 - 0.05 * index)


@template(0.55, ast.Call)
def unwrapped_call(site: Site) -> Iterator[Rewrite]:
    """Use the argument itself, or the object without the method."""
    node = site.node
    assert isinstance(node, ast.Call)
    if isinstance(site.parent, ast.Expr):
        return
    if len(node.args) == 1 and not node.keywords and not isinstance(node.args[0], (ast.GeneratorExp, ast.Starred)):
        yield site.replace(node, site.grouped(node.args[0]))
    if isinstance(node.func, ast.Attribute):
        yield site.replace(node, site.grouped(node.func.value), weight=0.9)


@template(0.35, ast.Call)
def converted_receiver(site: Site) -> Iterator[Rewrite]:
    """Convert what a method is called on."""
    assert isinstance(site.node, ast.Call)
    receiver = site.node.func.value if isinstance(site.node.func, ast.Attribute) else None
    if isinstance(receiver, (ast.Name, ast.Attribute, ast.Call, ast.Subscript)) and not isinstance(
        site.parent, ast.Expr
    ):
        for method in ("lower", "strip", "upper", "copy"):
            if f".{method}()" not in site.text(site.node):
                yield site.replace(receiver, f"{site.text(receiver)}.{method}()")


@template(0.4, ast.Call, ast.Return, ast.Assign, ast.For, ast.Compare)
def added_index(site: Site) -> Iterator[Rewrite]:
    """Use an element of a collection instead of the collection."""
    node = site.node
    assert isinstance(node, (ast.Call, ast.Return, ast.Assign, ast.For, ast.Compare))
    for value in _values(node):
        if isinstance(value, (ast.Name, ast.Attribute, ast.Call)):
            yield site.replace(value, f"{site.text(value)}[0]")
            yield site.replace(value, f"{site.text(value)}[-1]")


@template(0.4, ast.Subscript)
def dropped_index(site: Site) -> Iterator[Rewrite]:
    """Use a collection instead of its element or slice."""
    assert isinstance(site.node, ast.Subscript)
    if isinstance(site.node.ctx, ast.Load):
        yield site.replace(site.node, site.grouped(site.node.value))


@template(0.5, ast.Attribute)
def called_method(site: Site) -> Iterator[Rewrite]:
    """Call a method that was only named."""
    assert isinstance(site.node, ast.Attribute)
    if isinstance(site.node.ctx, ast.Load) and not (
        isinstance(site.parent, ast.Call) and site.parent.func is site.node
    ):
        yield site.replace(site.node, f"{site.text(site.node)}()")


@template(0.6, ast.Subscript)
def guarded_lookup(site: Site) -> Iterator[Rewrite]:
    """Look a key up with a default."""
    node = site.node
    assert isinstance(node, ast.Subscript)
    if isinstance(node.ctx, ast.Load) and not isinstance(node.slice, (ast.Slice, ast.UnaryOp, ast.Tuple)):
        value, key = site.text(node.value), site.text(node.slice)
        weight = 1.0 if "KeyError" in site.clues.exceptions else 0.6
        for index, text in enumerate((f"{value}.get({key})", f"{value}.get({key}, 0)", f"{value}.get({key}, [])")):
            yield site.replace(node, text, weight=weight * (1.0 - 0.1 * index))


def _parameters_of_callee(site: Site, node: ast.Call) -> list[str]:
    """Names of the positional parameters, where the file defines exactly one function of that name."""
    name = _last_name(node.func)
    defined = site.source.functions.get(name, [])
    if len(defined) != 1 or any(isinstance(each, (ast.Starred, ast.GeneratorExp)) for each in node.args):
        return []
    arguments = defined[0].args
    names = [each.arg for each in (*arguments.posonlyargs, *arguments.args)]
    return names[1:] if isinstance(node.func, ast.Attribute) and names[:1] in (["self"], ["cls"]) else names


def _last_name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


@template(0.5, ast.Call)
def strict_lookup(site: Site) -> Iterator[Rewrite]:
    """Look a key up without a default."""
    node = site.node
    assert isinstance(node, ast.Call)
    if isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args and not node.keywords:
        yield site.replace(node, f"{site.text(node.func.value)}[{site.text(node.args[0])}]")


TEMPLATES: tuple[Template, ...] = (
    related_call, exchanged_arguments, dropped_argument, added_argument, converted_value, converted_receiver,
    unwrapped_call, added_index, dropped_index, called_method, guarded_lookup, strict_lookup,
)  # fmt: skip
