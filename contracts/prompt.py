"""Prompt templates: text with named places, and values that are put there literally.

A template holds no logic: a place is `{{ name }}`, and `fill` wants exactly the names the text has. Values are
inserted in one pass, so a `{{ name }}` inside a value stays as it is. Where the text comes from is the caller's
affair; nothing here reads files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from contracts.base import sha256
from contracts.model import PromptName

_PLACE = re.compile(r"\{\{ ([a-z][a-z0-9_]*) \}\}")
_HEAD = re.compile(r"^# (System|User)[ \t]*\n", re.MULTILINE)
_FENCE = re.compile(r"^[ \t]*(`{3,})", re.MULTILINE)


class PromptError(ValueError):
    """A template is not one, or the values are not those it asks for; says which."""


@dataclass(frozen=True)
class Template:
    """A text with places; `name` says which template it is, in messages and in the ledger."""

    name: str
    text: str

    def __post_init__(self) -> None:
        rest = _PLACE.sub("", self.text)
        for mark in ("{{", "}}"):
            if mark in rest:
                line = next(line for line in rest.splitlines() if mark in line)
                raise PromptError(f"{self.name}: a place is written `{{{{ name }}}}`, found {line.strip()!r}")

    @cached_property
    def places(self) -> frozenset[str]:
        """The names the text asks for."""
        return frozenset(_PLACE.findall(self.text))

    @property
    def sha256(self) -> str:
        """Digest of the unfilled text."""
        return sha256(self.text.encode())

    @property
    def reference(self) -> PromptName:
        """How a call to a model says which template it was made from."""
        return PromptName(name=self.name, sha256=self.sha256)

    def fill(self, **values: str) -> str:
        """The text with every place filled.

        Raises:
            PromptError: a place without a value, or a value without a place.
        """
        missing, unknown = sorted(self.places - set(values)), sorted(set(values) - self.places)
        if missing or unknown:
            found = [f"no value for {name}" for name in missing] + [f"no place for {name}" for name in unknown]
            raise PromptError(f"{self.name}: {', '.join(found)}; its places are {', '.join(sorted(self.places))}")
        return _PLACE.sub(lambda place: values[place[1]], self.text)


@dataclass(frozen=True)
class Prompt:
    """A template of two parts: what stays the same from call to call, and what is asked."""

    whole: Template
    system: Template
    user: Template

    @classmethod
    def of(cls, name: str, text: str) -> Prompt:
        """Split a text at its headings `# System` and `# User`, each there once, in this order, nothing before.

        Raises:
            PromptError: the headings are not so.
        """
        parts = _HEAD.split(text)
        if len(parts) != 5 or parts[0].strip() or (parts[1], parts[3]) != ("System", "User"):
            found = ", ".join(parts[1::2]) or "none"
            raise PromptError(f"{name}: the headings `# System` and `# User` are expected, found {found}")
        return cls(
            Template(name, text), Template(f"{name} (system)", parts[2].strip()), Template(name, parts[4].strip())
        )

    @property
    def reference(self) -> PromptName:
        """Name and digest of the whole text."""
        return self.whole.reference


def fenced(text: str, label: str = "") -> str:
    """`text` as a Markdown code block that nothing in the text can end: its fence is longer than any within."""
    longest = max((len(found) for found in _FENCE.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    end = "" if text.endswith("\n") or not text else "\n"
    return f"{fence}{label}\n{text}{end}{fence}"


def quoted(text: str) -> str:
    """`text` as a Markdown quotation, somebody's words to follow: no heading or fence in it is the prompt's."""
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def name(path: str) -> str:
    """A path or name of a project as one line of code, whatever characters it has."""
    return "`" + "".join(char if char.isprintable() and char != "`" else "?" for char in path) + "`"
