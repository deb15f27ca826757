"""Tickets of `examples/lendery`, and what a reply to one is made of, as values of the reply contracts.

Each change can be said in blocks and as the whole new file; both come to the same. `tests/docs/test_examples.py` holds
them to what they claim: the new tests are red before the code, and everything is green with it.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from contracts.planning import PlannedWork
from servers.writing.replies import Block, BlocksReply, BlocksTests, DeclaredTest, Reply, WholeReply, WholeTests
from tests.git_project import Project

LENDERY = Path(__file__).resolve().parents[2] / "examples" / "lendery"
TICKETS = LENDERY / "tickets"


@dataclass(frozen=True)
class Change:
    """A change of one file, in blocks; `text` is the whole of a file that is not there yet."""

    path: str
    summary: str
    blocks: tuple[Block, ...] = ()
    text: str = ""
    tests: tuple[DeclaredTest, ...] = ()

    @property
    def new_text(self) -> str:
        """The whole file as it is to be."""
        text = self.text or (LENDERY / self.path).read_text(encoding="utf-8")
        for block in self.blocks:
            assert text.count(block.search) == 1, f"{self.path}: {block.search!r}"
            text = text.replace(block.search, block.replace)
        return text

    def reply(self, form: Literal["blocks", "whole"]) -> Reply:
        """The reply in this form; a file that is not there yet is always written whole."""
        if form == "whole" or not self.blocks:
            if self.tests:
                return WholeTests(summary=self.summary, text=self.new_text, tests=self.tests)
            return WholeReply(summary=self.summary, text=self.new_text)
        if self.tests:
            return BlocksTests(summary=self.summary, blocks=self.blocks, tests=self.tests)
        return BlocksReply(summary=self.summary, blocks=self.blocks)


@dataclass(frozen=True)
class Ticket:
    """A ticket with its acceptance criteria, the plan for it, and each file of the plan's work, by item."""

    name: str
    plan: PlannedWork
    changes: Mapping[str, Change] = field(default_factory=dict[str, Change])

    @property
    def text(self) -> Path:
        """The ticket."""
        return TICKETS / f"{self.name}.md"

    @property
    def criteria(self) -> Path:
        """Its acceptance criteria, one a line: c1, c2, …"""
        return TICKETS / f"{self.name}.criteria.md"


def lendery(root: Path) -> Project:
    """The service in a repository of its own, without the tickets."""
    project = Project(root)
    left_out = shutil.ignore_patterns("tickets", "__pycache__", ".*")
    shutil.copytree(LENDERY, project.root, dirs_exist_ok=True, ignore=left_out)
    project.commit()
    return project


def told(ticket: Ticket, *before: Mapping[str, object]) -> dict[str, object]:
    """The script of a model that plans the ticket and writes each of its files well, after what `before` says."""
    rules: list[Mapping[str, object]] = [{"name": "plan", "steps": [{"reply": ticket.plan.model_dump(mode="json")}]}]
    for item in ticket.plan.work:
        reply = ticket.changes[item.id].reply("blocks").model_dump(mode="json")
        name = "tests" if item.agent == "test_writer" else "change"
        which = {"name": name, "contains": f"In the file `{item.path}`:"}
        rules.append({**which, "steps": [{"reply": reply}], "again": True})
    return {"rules": [*before, *rules]}
