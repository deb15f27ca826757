"""From a reply to the file's new text and its patch; what cannot be that with certainty is a `Mismatch`."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from contracts import diff
from contracts.model import Form
from contracts.patch import Patch
from servers.search.source import Unreadable, parse
from servers.writing.definition import Written
from servers.writing.edits import PYTHON, Pair, by_blocks, by_diff, by_whole
from servers.writing.functions import by_functions
from servers.writing.locate import Mismatch, quote
from servers.writing.replies import BlocksReply, DiffReply, FunctionReply, Reply, WholeReply

LONG = 40_000
"""Characters above which a file is not shown, and so not asked for, as a whole."""

_THINGS = r"(?:file|code|class(?:es)?|functions?|methods?|module|imports?|tests?|contents?|lines?|implementation|body)"
_STAYS = (
    r"(?:[\s,:(-]+(?:is|are|remains?|stays?|goes|go|as|it|was|the|for|not|unchanged|same|before|here|above|omitted"
    r"|brevity|changed|continues|kept|shown)\b)*"
)
_LEFT_OUT = re.compile(
    r"^\s*(?:#|//|<!--|/\*|--|;)(?:"
    r"\s*(?:\.\.\.|…).*\b(?:rest|existing|unchanged|same|remaining|omitted|before|other)\b"
    # Without dots only a comment that says nothing else.
    r"|[\s\[(<{]*(?:(?:"
    rf"(?:the\s+|all\s+)?(?:rest|remainder)(?:\s+of\s+(?:the\s+|this\s+|your\s+)?(?:\w+\s+)?{_THINGS})?"
    rf"|(?:the\s+|all\s+)?(?:existing|remaining|unchanged|previous|original)\s+(?:\w+\s+)?{_THINGS}"
    rf"|(?:the\s+|all\s+)?(?:other\s+)?{_THINGS}\s+(?:omitted|unchanged|remains?)|unchanged|same\s+as\s+before"
    rf"){_STAYS})[\])>}}.…*/\s-]*$)",
    re.I,
)


@dataclass(frozen=True)
class Change:
    """A file's new text, and the patch that makes it of the text that was shown (None: there was no file)."""

    path: str
    old: str | None
    new: str
    summary: str

    @property
    def patch(self) -> Patch:
        """The unified diff, computed, never the model's own."""
        return Patch.of(diff.make(self.path, self.old, self.new), (self.path,))

    @property
    def size(self) -> int:
        """Lines added and removed."""
        return sum(diff.stat(diff.make(self.path, self.old, self.new)))


def form_for(preferred: Form, path: str, old: str | None) -> Form:
    """The form to ask for: what the model is best at, as far as this file allows it."""
    if old is None or not old.strip():
        return "whole"
    if preferred == "whole" and len(old) > LONG:
        preferred = "function"
    if preferred != "function" or (path.endswith(PYTHON) and _parsed(old) is None):
        return preferred
    return "blocks"


def changed(reply: Reply, path: str, old: str | None) -> Change:
    """What the reply makes of the file.

    Raises:
        Mismatch: it does not fit the file, changes nothing, leaves code out, brings a mask, or makes a Python file
            invalid.
    """
    new = _text(reply, path, old)
    if new == (old or ""):
        raise Mismatch("The change changes nothing: the file's text would be what it was.")
    added = set(new.splitlines()) - set((old or "").splitlines())
    if any("[masked: " in line for line in added):
        raise Mismatch("A masked place cannot be written; leave that line as it is.")
    known = {line.strip() for line in (old or "").splitlines()}
    if left_out := [line for line in sorted(added) if _LEFT_OUT.match(line) and line.strip() not in known]:
        raise Mismatch(f"Code was left out where it is to be written in full:\n{quote(left_out[:3])}")
    if path.endswith(PYTHON) and (problem := _parsed(new)):
        raise Mismatch(f"With the change the file is not valid Python: {problem}\n{_around(new, problem)}".rstrip())
    if path.endswith(PYTHON) and _dots(new) > _dots(old or ""):
        raise Mismatch("A bare `...` between the definitions leaves code out. Write all of the code.")
    return Change(path, old, new, " ".join(reply.summary.split())[:300])


def _text(reply: Reply, path: str, old: str | None) -> str:
    match reply:
        case FunctionReply():
            written = [Written(each.name.strip(), each.text) for each in reply.functions]
            return by_functions(old or "", written, reply.imports, path)
        case BlocksReply():
            return by_blocks(old or "", [Pair(each.search, each.replace) for each in reply.blocks], path)
        case DiffReply():
            return by_diff(old or "", reply.diff, path)
        case WholeReply():
            return by_whole(old, reply.text, path)
        case _:
            raise TypeError(f"{type(reply).__name__} is no form of change")


def _parsed(text: str) -> str | None:
    """None for valid Python, else what is wrong."""
    try:
        parse(text)
    except Unreadable as error:
        return str(error)
    return None


def _dots(text: str) -> int:
    """How many statements of the module itself are a bare `...`; none of a text that is no Python."""
    try:
        body = parse(text).body
    except Unreadable:
        return 0
    return sum(isinstance(each, ast.Expr) and ast.unparse(each.value) == "..." for each in body)


def _around(text: str, problem: str) -> str:
    """The lines at which the parser stopped."""
    line = re.search(r"line (\d+)\)", problem)
    if line is None:
        return ""
    at = int(line[1]) - 1
    return quote(text.splitlines()[max(0, at - 3) : at + 2])
