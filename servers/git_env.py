"""Runs git commands for specialists, in the environment of `contracts.git_env`."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE

import anyio
from anyio.abc import Process

from contracts.git_env import git_command
from servers.specialist import ToolError


@asynccontextmanager
async def git_process(tree: Path, *args: str) -> AsyncGenerator[Process]:
    """`git args` in `tree` with both outputs piped; killed and reaped when the block is left before it ended."""
    command = git_command("-C", str(tree), *args, path=os.environ.get("PATH", os.defpath))
    async with await anyio.open_process(command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE) as process:
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()


async def git_output(tree: Path, *args: str, extra: Mapping[str, str] | None = None, stdin: bytes = b"") -> bytes:
    """What `git args` prints; `extra` adds variables.

    Raises:
        ToolError: internal, with git's message.
    """
    command = git_command("-C", str(tree), *args, path=os.environ.get("PATH", os.defpath), extra=extra)
    done = await anyio.run_process(command, check=False, input=stdin)
    if done.returncode:
        raise ToolError("internal", f"git {args[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
