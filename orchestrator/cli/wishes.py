"""What a person asked for on the command line, and what it comes to."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TextIO

from contracts.config import ProjectConfig
from contracts.gate_policy import Policy
from contracts.task import Criterion, Task
from contracts.workflow import Budgets, Workflow
from orchestrator import config
from orchestrator.cli.amounts import allowance
from orchestrator.cli.shared import who
from orchestrator.cli.texts import plain, read
from orchestrator.cli.trouble import trouble

MAX_TICKET_CHARS = 100_000


def new_run() -> str:
    """A name for a run that nobody has."""
    return f"r-{secrets.token_hex(4)}"


@dataclass(frozen=True)
class Wishes:
    """What a person asked for on the command line."""

    workflow: str
    repo: Path
    tests: tuple[str, ...] = ()
    engine: str = "auto"
    base: str = "HEAD"
    request: str = ""
    criteria: tuple[Criterion, ...] = ()
    links: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    auto: str = ""
    models: Mapping[str, str] = field(default_factory=dict[str, str])
    search_s: float | None = None
    budget_usd: Decimal | None = None
    budget_tokens: int | None = None
    budget_calls: int | None = None
    budget_minutes: float | None = None
    candidates: int | None = None
    consent_weak: bool = False
    unsandboxed: bool = False
    quiet: bool = False
    run: str = field(default_factory=new_run)
    via: str = ""
    """The MCP host it was asked for in."""

    def budgets(self, before: Budgets) -> Budgets:
        """A workflow's ceilings with those that were named."""
        limits = allowance(self.budget_usd, self.budget_tokens, self.budget_calls, self.budget_minutes)
        own = {"search_s": self.search_s, "candidates": self.candidates}
        named = {name: one for name, one in own.items() if one is not None}
        return before.model_copy(update={"model": before.model.replaced(limits), **named})


@dataclass(frozen=True)
class Settled:
    """A wish, with everything it depends on read."""

    project: ProjectConfig
    task: Task
    workflow: Workflow
    policy: Policy


def settled(wishes: Wishes) -> Settled:
    """Read what the wishes depend on: the checkout, its podium.toml, the workflow.

    Raises:
        Trouble, ConfigError: they cannot be met.
    """
    checkout = top_of(wishes.repo)
    project = config.load_project(checkout)
    workflow = config.tuned(config.load_workflow(wishes.workflow), project)
    workflow = workflow.model_copy(update={"budgets": wishes.budgets(workflow.budgets)})
    task = Task.model_validate(
        {
            "run": wishes.run,
            "workflow": wishes.workflow,
            "repo": str(checkout),
            "base": wishes.base,
            "request": wishes.request,
            "tests": wishes.tests,
            "criteria": wishes.criteria,
            "links": wishes.links,
            "avoid": (*project.avoid, *wishes.avoid),
            "engine": wishes.engine,
            "models": dict(wishes.models),
            "by": f"{who()} via {wishes.via}" if wishes.via else who(),
        }
    )
    return Settled(project, task, workflow, config.policy(workflow, project, wishes.auto))


def request_of(words: tuple[str, ...], ticket: TextIO | None, *, needed: bool) -> str:
    """The request: words, a file, or standard input where either is `-`.

    Raises:
        Trouble: both were given, or nothing where something is `needed`, or far too much, or what is no text.
    """
    if words == ("-",) and ticket is None:
        words, ticket = (), sys.stdin
    if words and ticket:
        raise trouble("The request was given twice.", "Give it in words or with --ticket, not both.", code=2)
    text = (read(ticket) if ticket else " ".join(words)).strip()
    if needed and not text:
        raise trouble("There is no request.", "Say what is wanted, in words, with --ticket FILE, or `-`.", code=2)
    plain(text, "The request")
    if len(text) > MAX_TICKET_CHARS:
        raise trouble(f"The request has {len(text):,} characters, at most {MAX_TICKET_CHARS:,} are taken.", code=2)
    return text


def top_of(folder: Path) -> Path:
    """The top of the checkout that holds `folder`, so that nothing is started for what is none.

    Raises:
        Trouble: it is in none.
    """
    here = folder.expanduser().absolute()
    if not here.is_dir():
        raise trouble(f"{folder} is not a folder.", "Give the path of a git checkout with --repo.", code=2)
    for each in (here, *here.parents):
        if (each / ".git").exists():
            return each
    raise trouble(f"{here} is not in a git repository.", "Run `git init` and commit there, or give --repo.", code=2)
