"""git in a run's folder, for the workspace: with nothing of the machine's or the user's (`contracts.git_env`)."""

from __future__ import annotations

import os
from pathlib import Path

from git import Git

from contracts.git_env import git_command
from servers.specialist import ToolError


def resolve(folder: Path, revision: str) -> str:
    """The commit `revision` names.

    Raises:
        ToolError: not_found.
    """
    name = f"{revision}^{{commit}}"
    if not succeeds(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", name):
        raise ToolError("not_found", f"the run's repository has no commit {revision!r}")
    return line(folder, "rev-parse", "--verify", "--end-of-options", name)


def line(folder: Path, *args: str, extra: dict[str, str] | None = None) -> str:
    """What git prints, as text without the last line end."""
    return run_git(folder, *args, extra=extra).decode(errors="replace").strip()


def succeeds(folder: Path, *args: str) -> bool:
    """Whether git ends with status 0."""
    return _execute(folder, args)[0] == 0


def run_git(folder: Path, *args: str, extra: dict[str, str] | None = None, stdin: bytes = b"") -> bytes:
    """What git prints.

    Raises:
        ToolError: internal, with git's own message.
    """
    status, out, error = _execute(folder, args, extra, stdin)
    if status:
        raise ToolError("internal", f"git {' '.join(args[:2])}: {error.strip()}")
    return out


def _execute(
    folder: Path, args: tuple[str, ...], extra: dict[str, str] | None = None, stdin: bytes = b""
) -> tuple[int, bytes, str]:
    command = git_command("-C", str(folder), *args, path=os.environ.get("PATH", os.defpath), extra=extra)
    with os.fdopen(os.memfd_create("stdin"), "w+b") as given:
        given.write(stdin)
        given.seek(0)
        return Git(str(folder)).execute(
            command,
            istream=given,
            with_extended_output=True,
            with_exceptions=False,
            stdout_as_string=False,
            strip_newline_in_stdout=False,
        )
