"""Patches put to a person; a diff of their own that does not apply is given back to them, and nothing is lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from bus.errors import CallFailed
from contracts import diff
from contracts.failure import FailureKind
from contracts.gate import GateDecision, PatchSet, RefusedEdit
from contracts.patch import Patch
from orchestrator.engine import Engine
from orchestrator.errors import Refused

T = TypeVar("T")

_OF_THE_DIFF: tuple[FailureKind, ...] = ("invalid", "not_found", "limit")
"""How the workspace fails where a diff cannot be applied: the same one never can."""


async def offered(
    run: Engine, patches: PatchSet, put: Callable[[Patch, str], Awaitable[T]]
) -> tuple[GateDecision, T | None]:
    """What is decided about `patches`, and what `put` made of a diff of the person's own.

    `put` has a diff applied, in steps whose path ends as it is told. Where the workspace cannot, it leaves everything
    as it was, and the same patches are put again, with the diff and the reason.

    Raises:
        Refused: the run was aborted.
        CallFailed: `put` failed for another reason than the diff.
    """
    path, shown, number = f"patches/{patches.round}", patches, 0
    while True:
        number += 1
        decision = await run.gate(path, shown)
        if decision.verdict == "abort":
            raise Refused("abort", decision.reason, decision.by)
        if decision.diff is None:
            return decision, None
        own = Patch.of(decision.diff, diff.files(decision.diff))
        try:
            return decision, await put(own, f"edit-{number}")
        except CallFailed as error:
            if error.server != "workspace" or error.failure.kind not in _OF_THE_DIFF:
                raise
            edit = RefusedEdit(diff=decision.diff, reason=error.failure.message)
            path, shown = f"patches/{patches.round}/edit-{number}", patches.model_copy(update={"edit": edit})
