"""test_runner: run a project's tests, and try many candidate patches, in the sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import anyio

from contracts.manifest import Manifest
from contracts.sandbox import Limits
from contracts.test_runner import (
    CoverageParams,
    CoverageResult,
    RunParams,
    RunResult,
    TryPatchesParams,
    TryPatchesResult,
)
from servers.specialist import Call, Room, ToolError, tool
from servers.testing.baseline import Baseline, Baselines
from servers.testing.command import run_command
from servers.testing.confined import Confined
from servers.testing.masking import coverage_masked, run_masked
from servers.testing.patches import Bench
from servers.testing.program import program
from servers.testing.scratch import TREE, checked_splices, scratch_copy, state, write
from servers.testing.spectrum import trace_suite
from servers.testing.suite import run_pytest

AROUND_S = 300.0
"""For a copy of the tree, and for whatever else is done around what `timeout_s` or `budget_s` limits."""


class TestRunner:
    """Every tool works on a scratch copy of the run's tree; the tree itself is only read."""

    __test__ = False

    manifest: ClassVar[Manifest] = Manifest(
        name="test_runner",
        title="Test runner",
        description="Runs a project's tests, traces what they run, and tries candidate patches, in a sandbox.",
        scopes=("work:read", "sandbox:run"),
    )

    def __init__(self, room: Room) -> None:
        self._room = room
        self._baselines = Baselines()

    @tool(read_only=True, deadline_s=lambda _, params: params.timeout_s + AROUND_S)
    async def run(self, params: RunParams, call: Call) -> RunResult:
        """Run tests.

        On a scratch copy of the run's tree, with `diff` applied to it first if one is given. A failed suite is a
        result; only a request that makes no sense is an error.
        """
        tree, confined = await anyio.to_thread.run_sync(self._confined, params.run)
        async with scratch_copy(tree, self._room.scratch) as home:
            if params.diff:
                write(home / TREE, checked_splices(tree, params.diff))
            limits = Limits(wall_s=params.timeout_s, cpu_s=params.timeout_s)
            if confined.program.command:
                return run_masked(await run_command(confined, home, limits, params.tests))
            before = "" if params.tests or params.diff else await anyio.to_thread.run_sync(state, tree)
            result = await run_pytest(confined, home, call, tests=params.tests, limits=limits)
            if before and result.outcome in ("passed", "failed"):
                self._baselines.keep(params.run, before, Baseline(result))
            return run_masked(result)

    @tool(read_only=True, deadline_s=lambda _, params: params.budget_s + AROUND_S)
    async def try_patches(self, params: TryPatchesParams, call: Call) -> TryPatchesResult:
        """Try candidate patches, each on its own.

        A candidate is plausible when the failing tests pass with it and no test that passed before does worse, in
        a plain run of the whole suite in a fresh process. Plausible is not right: that is for a person to say.
        """
        tree, confined = await anyio.to_thread.run_sync(self._confined, params.run, "try_patches")
        return await Bench(confined, tree, self._room.scratch, call, params, self._baselines).work()

    @tool(read_only=True, deadline_s=lambda _, params: params.budget_s + AROUND_S)
    async def coverage(self, params: CoverageParams, call: Call) -> CoverageResult:
        """Trace which lines each test runs.

        Only functions that the failing tests reach are traced. With a budget too small for the whole suite the
        result holds the tests traced until then, failing ones first.
        """
        tree, confined = await anyio.to_thread.run_sync(self._confined, params.run, "coverage")
        async with scratch_copy(tree, self._room.scratch) as home:
            return coverage_masked(await trace_suite(confined, home, call, params.failing, params.budget_s))

    def _confined(self, run: str, pytest_for: str = "") -> tuple[Path, Confined]:
        tree = self._room.tree(run)
        found = program(tree, self._room.work / run / "settings.json")
        if pytest_for and found.command:
            raise ToolError("unavailable", f"{pytest_for} needs pytest; this project's tests run by a command")
        return tree, Confined(self._room.sandbox, found)
