"""A run's folder beside its repository: the lock, the markers, and what a killed git leaves behind."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from contracts.run_settings import RunSettings
from servers.specialist import ToolError

_STALE = ("*.lock", "worktrees/*/*.lock", "refs/heads/podium/*.lock", "refs/podium/*.lock")


def run_settings(file: Path) -> RunSettings:
    """What intake wrote down of how a run's tests are started, in `work/<run>/settings.json`.

    Raises:
        ToolError: invalid, when the file does not say it right.
    """
    try:
        return RunSettings.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return RunSettings()
    except ValidationError as wrong:
        raise ToolError("invalid", f"{file.name} of the run cannot be read: {wrong}") from wrong


class RunFolder:
    """`work/<run>/` and the small files the workspace keeps in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.repository = path / "repo.git"
        self.tree = path / "tree"

    @contextmanager
    def locked(self) -> Generator[None]:
        """Hold the run for one writer, among threads and processes; blocks until it is free.

        Raises:
            ToolError: not_found, when the run has no folder.
        """
        try:
            handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError as error:
            raise self._missing() from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if not self.repository.is_dir():
                raise self._missing()
            # Whoever made these held the lock above and is dead: git would wait for him for ever.
            for pattern in _STALE:
                for stale in self.repository.glob(pattern):
                    stale.unlink(missing_ok=True)
            yield
        finally:
            os.close(handle)

    def marker(self, name: str) -> str:
        """What was marked under `name`; empty: nothing."""
        try:
            return (self.path / name).read_text()
        except FileNotFoundError:
            return ""

    def mark(self, name: str, value: str) -> None:
        """Remember `value` under `name`, in one step; an empty value forgets it."""
        if not value:
            (self.path / name).unlink(missing_ok=True)
            return
        temporary = self.path / f"{name}.new"
        temporary.write_text(value)
        os.replace(temporary, self.path / name)

    def _missing(self) -> ToolError:
        return ToolError(
            "not_found", f"run {self.path.name} has no repository", way_out="Start the run from its project again."
        )
