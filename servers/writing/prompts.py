"""The writers' prompt templates: Markdown files in `prompts/`, read once each."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from contracts.prompt import Prompt, Template

FOLDER = Path(__file__).parent / "prompts"


@cache
def prompt(name: str) -> Prompt:
    """The template `prompts/<name>.md` with its two parts."""
    return Prompt.of(name, _text(name))


@cache
def part(name: str) -> Template:
    """The template `prompts/<name>.md` as one text."""
    return Template(name, _text(name).strip())


def _text(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")
