"""What the loop needs of the person's machine: their repository, and a folder for bundles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from contracts.base import Model
from contracts.task import Task


class TakenIn(Model):
    """A repository that was taken in for a run."""

    base: str
    notes: tuple[str, ...] = ()


class Delivered(Model):
    """A branch that stands in the person's repository."""

    branch: str
    head: str
    notes: tuple[str, ...] = ()


class Checkout(Protocol):
    """The person's repository: read once at the start, given one branch at the end."""

    async def take_in(self, task: Task) -> TakenIn:
        """Copy `task.repo` at `task.base` to where the crew works, and write the run's settings; repeatable.

        Raises:
            CouldNot: it is not a repository, or not one that can be worked on.
        """
        ...

    async def deliver(self, task: Task, bundle_file: Path, base: str, head: str) -> Delivered:
        """Create the run's branch at `head` from a git bundle; repeatable.

        Raises:
            CouldNot: the repository or the branch moved on.
        """
        ...

    async def withdraw(self, task: Task, head: str) -> str:
        """Take back the run's branch if it was delivered, at `head`; what stays there, in words. Repeatable."""
        ...


@dataclass(frozen=True)
class Paths:
    """Folders on this machine."""

    work: Path
    """Runs live at `work/<run>/`; the crew works there too."""
    bundles: Path
    """A finished run's bundle is at `bundles/<run>/`."""
    unfinished: Path
    """Who has begun a run here and who is at work on it; see `orchestrator.unfinished`."""

    @classmethod
    def below(cls, state: Path) -> Paths:
        """As they lie in Podium's state directory."""
        return cls(work=state / "work", bundles=state / "bundles", unfinished=state / "unfinished")
