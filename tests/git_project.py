"""A git repository to try things on, and a room to work on it in."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bus.lives import FIRST, Life
from contracts.base import Model
from orchestrator.intake import Intake, intake
from servers.sandbox.job import Finished, Job, OnLine
from servers.specialist import Call, Room

RUN = "r-test1"
R = TypeVar("R", bound=Model)


class Project:
    """A checkout of somebody's."""

    def __init__(self, root: Path, *options: str) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main", *options)

    def git(self, *args: str, folder: Path | None = None, stdin: str = "") -> str:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_{what}": "x@y" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }
        options = ("-c", "protocol.file.allow=always", "-c", "core.quotePath=false")
        return subprocess.run(
            ["git", *options, *args],
            cwd=folder or self.root,
            env=env,
            input=stdin,
            check=True,
            capture_output=True,
            encoding="utf-8",
        ).stdout

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files: Mapping[str, str | bytes] | None = None, message: str = "change") -> str:
        self.write(files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def snapshot(self) -> dict[str, bytes]:
        """Every file of checkout and .git, but objects and what belongs to branches named podium/."""
        return {
            str(path.relative_to(self.root)): os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if (path.is_file() or path.is_symlink())
            and not str(path.relative_to(self.root)).startswith(".git/objects/")
            and "/heads/podium/" not in str(path)
        }


@dataclass(frozen=True)
class FakeCall:
    """A call with an id; progress goes nowhere."""

    id: str = "0" * 32
    caller: str = "orchestrator"
    life: Life = FIRST

    async def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Nobody listens."""


class Nobody:
    """A crew and a sandbox that must not be called."""

    async def call(self, tool: str, params: Model, result: type[R], *, parent: Call) -> R:
        raise AssertionError(f"{tool} was called")

    async def run(self, job: Job, on_line: OnLine | None = None) -> Finished:
        raise AssertionError(f"{job.argv} was run")


def bring_in(project: Project, work: Path, run: str = RUN) -> tuple[Room, Intake]:
    """A room in which the run's repository lies ready."""
    brought = intake(project.root, run, work)
    (work / "scratch").mkdir(exist_ok=True)
    return Room(work=work, scratch=work / "scratch", crew=Nobody(), sandbox=Nobody()), brought
