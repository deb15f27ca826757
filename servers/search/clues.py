"""What a failure's own words say: which name was wrong, which value was expected.

The texts are claims of the code under test; they are only searched for names and literals, which end
up as text of a candidate at most.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from contracts.test_runner import TestCase

MAX_VALUES = 24
MAX_TEXT = 20_000

_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("name", re.compile(r"NameError: (?:free variable|name) '(\w+)'")),
    ("name", re.compile(r"UnboundLocalError: .*?local variable '(\w+)'")),
    ("attribute", re.compile(r"AttributeError: .*has no attribute '(\w+)'")),
    ("key", re.compile(r"KeyError: ['\"]([^'\"\n]{1,60})['\"]")),
    ("import", re.compile(r"ImportError: cannot import name '(\w+)'")),
    ("module", re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")),
    ("keyword", re.compile(r"TypeError: .*unexpected keyword argument '(\w+)'")),
    ("missing", re.compile(r"TypeError: .*missing \d+ required .*arguments?: '(\w+)'")),
)
_OWNER = re.compile(r"AttributeError: '(\w+)' object has no attribute")
_EXCEPTION = re.compile(r"^(?:\w+\.)*(\w*(?:Error|Exception|Exit|Iteration|Interrupt|Warning|Failed))\b")
_NOT_RAISED = re.compile(r"DID NOT RAISE.*?(?:<class '|\()?(?:\w+\.)*(\w+)'?[>,)]")
_LITERAL = re.compile(r"""'[^'\n]{0,60}'|"[^"\n]{0,60}"|(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])""")


@dataclass(frozen=True)
class Wrong:
    """A name the failure complains of. `kind`: name, attribute, key, import, module, keyword, missing."""

    kind: str
    name: str
    owner: str = ""


@dataclass(frozen=True)
class Clues:
    """What all failures of one search say together, in the order they say it."""

    wrong: tuple[Wrong, ...] = ()
    values: tuple[str | int | float, ...] = ()
    exceptions: tuple[str, ...] = ()
    not_raised: tuple[str, ...] = ()

    @property
    def numbers(self) -> tuple[int | float, ...]:
        """Numbers in the failures' assertions."""
        return tuple(value for value in self.values if not isinstance(value, str))

    @property
    def strings(self) -> tuple[str, ...]:
        """Strings in the failures' assertions."""
        return tuple(value for value in self.values if isinstance(value, str))

    def names(self, kind: str) -> frozenset[str]:
        """Names complained of as `kind`."""
        return frozenset(wrong.name for wrong in self.wrong if wrong.kind == kind)


def read(failures: Iterable[TestCase]) -> Clues:
    """Gather the clues of failing tests."""
    wrong: list[Wrong] = []
    values: list[str | int | float] = []
    exceptions: list[str] = []
    not_raised: list[str] = []
    for case in failures:
        said = _said(case)
        owner = _OWNER.search(said)
        for kind, pattern in _PATTERNS:
            for match in pattern.finditer(said):
                wrong.append(Wrong(kind, match.group(1), owner.group(1) if owner and kind == "attribute" else ""))
        if match := _EXCEPTION.match(case.message):
            exceptions.append(match.group(1))
        not_raised += [match.group(1) for match in _NOT_RAISED.finditer(said)]
        values += _literals(said)
    return Clues(
        wrong=tuple(dict.fromkeys(wrong)),
        values=_unique(values)[:MAX_VALUES],
        exceptions=tuple(dict.fromkeys(exceptions)),
        not_raised=tuple(dict.fromkeys(not_raised)),
    )


def _said(case: TestCase) -> str:
    """The message and pytest's `E` lines."""
    detail = [line[1:].strip() for line in case.detail[:MAX_TEXT].splitlines() if line.startswith("E ")]
    return "\n".join([case.message[:MAX_TEXT], *detail])


def _literals(text: str) -> Iterator[str | int | float]:
    for match in _LITERAL.finditer(text):
        try:
            value = ast.literal_eval(match.group())
        except (SyntaxError, ValueError):
            continue
        if isinstance(value, (str, int, float)):
            yield value


def _unique(values: Iterable[str | int | float]) -> tuple[str | int | float, ...]:
    """First of each value; 1 and 1.0 are two."""
    return tuple({(type(value), value): value for value in values}.values())
