"""Risks that no rule may take: what a change could do outside the sandbox, or hide from whoever reviews it. Pure.

A person who approves names each of them; the names are part of the decision.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import lru_cache

from contracts import diff as diffs
from contracts.bundle import Bundle
from contracts.gate import GateRequest
from contracts.secret_kinds import secrets_in
from contracts.test_names import is_test, may_decide_tests, stands_in
from orchestrator.deceptive import invisible, lookalikes

_DEPENDENCIES = (
    *("pyproject.toml", "setup.py", "setup.cfg", "requirements*.txt", "constraints*.txt", "pipfile", "*.lock"),
    *(
        "environment.y*ml",
        "package.json",
        "package-lock.json",
        "npm-shrinkwrap.json",
        "pnpm-lock.yaml",
        ".npmrc",
        ".yarnrc*",
        "go.mod",
    ),
    *("go.sum", "go.work", "cargo.toml", "gemfile", "composer.json", "pom.xml", "*.gradle", "*.gradle.kts"),
)
_AUTOMATION = (
    *(".gitlab-ci.yml", ".travis.yml", "azure-pipelines.yml", "jenkinsfile", ".pre-commit-config.yaml"),
    *("makefile", "gnumakefile", "*.mk", "justfile", "taskfile.y*ml", "cmakelists.txt", "meson.build", "build.rs"),
    *("dockerfile*", "*.dockerfile", "docker-compose*", "compose.y*ml", "vagrantfile", "procfile", "*.sh", "*.bat"),
    *("*.ps1", "tox.ini", "noxfile.py", ".envrc", ".gitattributes", ".gitconfig", ".mcp.json", "*.pth"),
    *("agents.md", "claude.md", "gemini.md"),
)
_AUTOMATION_FOLDERS = frozenset(
    [
        *(".github", ".gitlab", ".circleci", ".husky", ".githooks", ".devcontainer", ".vscode", ".idea"),
        *(".cursor", ".claude", ".codex", ".gemini"),
    ]
)
_INSIDE = re.compile(r"\b(_pytest|pluggy|pytest_plugins|PYTEST_\w+|def pytest_\w+)\b")
_PYTEST = re.compile(r"pytest|pluggy", re.IGNORECASE)


@dataclass(frozen=True)
class GraveRisk:
    """`name` is what a person accepts; `words` say what it is."""

    name: str
    words: str


@lru_cache(maxsize=2)
def grave_risks(diff: str) -> tuple[GraveRisk, ...]:
    """Of a change, the gravest first."""
    changes = diffs.parse(diff)

    def touching(touches: Callable[[diffs.FileDiff], bool]) -> list[str]:
        return [each.path for each in changes if touches(each)]

    found = (
        ("test-runner", "Speaks of the program that runs the tests, and may change what it says", _reaches_inside),
        ("test-settings", "Changes how tests run", _decides_tests),
        ("dependencies", "Changes what the project depends on", _depends),
        ("automation", "Changes automation that runs elsewhere", _automates),
    )
    hidden = (
        ("invisible-characters", "Adds characters that do not show, or change how others show", invisible(changes)),
        ("lookalike-letters", "Has letters that look like others", lookalikes(changes)),
        ("secrets", "Adds what looks like a secret, and who has the branch or the bundle has it", _secrets(changes)),
    )
    named = (*((name, words, touching(touches)) for name, words, touches in found), *hidden)
    return tuple(GraveRisk(name, f"{words}: {', '.join(where)}.") for name, words, where in named if where)


def to_accept(request: GateRequest) -> tuple[GraveRisk, ...]:
    """What whoever approves `request` has to accept by name: at the handover, where the change leaves Podium."""
    return grave_risks(request.subject.patch.diff) if isinstance(request.subject, Bundle) else ()


def _secrets(changes: Sequence[diffs.FileDiff]) -> list[str]:
    """Files and kinds, never the secrets: what is said here is shown, and stored."""
    return [f"{change.path} has a {kind}" for change in changes for kind in secrets_in(_added(change))]


def _added(change: diffs.FileDiff) -> str:
    """Line by line, as a key may have several."""
    return "\n".join(line.text for hunk in change.hunks for line in hunk.lines if line.op == "+")


def _reaches_inside(change: diffs.FileDiff) -> bool:
    """Whether Python code gets a line about pytest's own parts, or, where it is no test, about pytest at all."""
    pattern = _INSIDE if is_test(change.path) else _PYTEST
    added = (line.text for hunk in change.hunks for line in hunk.lines if line.op == "+")
    return change.path.endswith(".py") and any(map(pattern.search, added))


def _decides_tests(change: diffs.FileDiff) -> bool:
    return may_decide_tests(change.path) or (change.created and bool(stands_in(change.path)))


def _depends(change: diffs.FileDiff) -> bool:
    folder, name = change.path.casefold().split("/")[-2:-1], change.path.casefold()
    return _called(_DEPENDENCIES, change) or (folder == ["requirements"] and name.endswith((".txt", ".in")))


def _automates(change: diffs.FileDiff) -> bool:
    folders = change.path.casefold().split("/")[:-1]
    return not _AUTOMATION_FOLDERS.isdisjoint(folders) or _called(_AUTOMATION, change)


def _called(patterns: Sequence[str], change: diffs.FileDiff) -> bool:
    """By its name alone, in whatever folder, as a file system sees it that ignores case."""
    name = change.path.casefold().rpartition("/")[2]
    return any(fnmatch(name, pattern) for pattern in patterns)
