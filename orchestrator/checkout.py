"""The person's repository, by way of intake and handover."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from anyio import to_thread

from contracts.config import TestConfig
from contracts.run_settings import RunSettings
from contracts.task import Task
from orchestrator import handover, intake
from orchestrator.errors import CouldNot
from orchestrator.ports import Delivered, TakenIn

NAMED = 5
"""How many uncommitted paths a note names."""


@dataclass(frozen=True)
class GitCheckout:
    """A git checkout on this machine."""

    work: Path
    """Runs live at `work/<run>/`."""
    test: TestConfig
    """`[test]` of the project's podium.toml."""

    async def take_in(self, task: Task) -> TakenIn:
        """See `Checkout.take_in`."""
        try:
            made = await to_thread.run_sync(intake.intake, Path(task.repo), task.run, self.work, task.base)
            python = str(made.python) if made.python else None
            settings = RunSettings(
                python=python, test_command=self.test.command, junit=self.test.junit, pytest=made.pytest
            )
            await to_thread.run_sync(_replace, self.work / task.run / "settings.json", settings.canonical())
        except intake.IntakeError as error:
            raise CouldNot(error.message, error.way_out) from error
        except OSError as error:
            raise CouldNot(f"{self.work} cannot be written: {error}.", "Make room, or set PODIUM_STATE_DIR.") from error
        return TakenIn(base=made.base, notes=notes(made))

    async def deliver(self, task: Task, bundle_file: Path, base: str, head: str) -> Delivered:
        """See `Checkout.deliver`."""
        try:
            branch = await to_thread.run_sync(handover.deliver, Path(task.repo), bundle_file, task.run, base, head)
        except (handover.HandoverError, intake.IntakeError) as error:
            raise CouldNot(error.message, f"{error.way_out} The work is kept in {bundle_file.parent}.") from error
        return Delivered(branch=branch, head=head)

    async def withdraw(self, task: Task, head: str) -> str:
        """See `Checkout.withdraw`."""
        try:
            return await to_thread.run_sync(handover.withdraw, Path(task.repo), task.run, head)
        except intake.IntakeError as error:
            return f"Whether its branch was delivered is not known: {error.message}"


def notes(made: intake.Intake) -> tuple[str, ...]:
    """What a person should know about what was, and was not, brought in."""
    found: list[str] = []
    if made.dirty:
        more = f" and {len(made.dirty) - NAMED} more" if len(made.dirty) > NAMED else ""
        found.append(f"Uncommitted changes are not included: {', '.join(made.dirty[:NAMED])}{more}.")
    if made.submodules:
        found.append(f"Submodules are left out: {', '.join(made.submodules[:NAMED])}.")
    return tuple(found)


def _replace(file: Path, content: bytes) -> None:
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_bytes(content)
    os.replace(fresh, file)
