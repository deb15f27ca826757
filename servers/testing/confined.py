"""Starts the program inside the sandbox on a scratch copy."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from contracts.sandbox import Limits
from servers.sandbox.job import Finished, Job, JobRefused, OnLine, SandboxUnavailable
from servers.specialist import Sandbox, ToolError
from servers.testing.claims import Claim, read
from servers.testing.podium_inside.request import Request, dumps
from servers.testing.program import Program
from servers.testing.scratch import TREE

INSIDE = Path(__file__).parent / "podium_inside"
START = """
import sys
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("podium_inside", sys.argv[1] + "/__init__.py", submodule_search_locations=[sys.argv[1]])
sys.modules[spec.name] = module_from_spec(spec)
spec.loader.exec_module(sys.modules[spec.name])
from podium_inside.main import main
sys.argv[:] = ["pytest"]
sys.exit(main())
"""
"""Loads our package by its place: its parent may be closed inside, and nothing else there is to be imported."""

OnClaim = Callable[[Claim], Awaitable[None]]


@dataclass(frozen=True)
class Confined:
    """One sandbox, one interpreter: what every way of running the project's code shares."""

    sandbox: Sandbox
    program: Program

    async def ask(self, home: Path, request: Request, limits: Limits, on_claim: OnClaim) -> Finished:
        """Run the program inside on `home/tree`; `on_claim` gets each result as it arrives."""

        async def on_line(line: bytes) -> None:
            claim = read(line, request.token)
            if claim is not None:
                await on_claim(claim)

        request = replace(request, config=self.program.pin(home / TREE))
        argv = (str(self.program.python), "-c", START, str(INSIDE))
        job = Job(
            argv=argv,
            scratch=home,
            cwd=TREE,
            read_only=(*self.program.read_only, INSIDE),
            env={**environment(home / TREE, self.program.python), **self.program.env},
            stdin=dumps(request),
            limits=limits,
        )
        return await self._run(job, on_line)

    async def command(self, home: Path, limits: Limits) -> Finished:
        """Run the project's own test command on `home/tree`."""
        tree = home / TREE
        job = Job(
            argv=self.program.command,
            scratch=home,
            cwd=TREE,
            read_only=self.program.read_only,
            env=environment(tree, self.program.python),
            limits=limits,
        )
        return await self._run(job, None)

    async def _run(self, job: Job, on_line: OnLine | None) -> Finished:
        try:
            return await self.sandbox.run(job, on_line)
        except JobRefused as refused:
            raise ToolError("denied", str(refused)) from refused
        except SandboxUnavailable as missing:
            raise ToolError("unavailable", str(missing), way_out="See `podium doctor`.") from missing


def environment(tree: Path, python: Path) -> dict[str, str]:
    """Deterministic, and with the scratch copy first on the path.

    A virtual environment with an editable install of the person's checkout would otherwise import that.
    """
    src = tree / "src"
    # `src/__init__.py` means that src itself is the package.
    below = [str(src)] if src.is_dir() and not (src / "__init__.py").exists() else []
    return {
        "PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": ":".join([str(tree), *below]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "COLUMNS": "120",
    }


def token() -> str:
    """Opens each line of one run's channel."""
    return secrets.token_hex(8)


@dataclass
class Tail:
    """Tells progress at most a few times a second."""

    every_s: float = 0.2
    last: float = field(default=float("-inf"))

    def due(self, now: float) -> bool:
        """Whether it is time again."""
        if now - self.last < self.every_s:
            return False
        self.last = now
        return True
