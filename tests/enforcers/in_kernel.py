"""The kernel alone: processes confined as a member's is, without a bus; and jobs in a member's sandbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import anyio.to_thread

from servers.confine import Confinement
from servers.enforced import Right, in_kernel, kernel
from servers.rights import policy_for
from servers.sandbox import landlock
from servers.sandbox.client import KeptSandbox, start_keeper
from servers.sandbox.order import Policy
from tests.enforcers.confined import attempts, case, run_cases
from tests.enforcers.ground import Ground, runnable
from tests.enforcers.seen import WAYS, Seen
from tests.sandbox.cells import Cell

_CONNECT = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5)"


async def tried_in_kernel(rights: Sequence[Right], ground: Ground) -> dict[Right, Seen]:
    """Each right: what it opens to a process, or to the programs that are run for it."""
    own = [right for right in rights if not in_kernel(right, ground.place, ground.keys).sandbox]
    found = await anyio.to_thread.run_sync(_in_processes, own, ground)
    for right in rights:
        if right not in found:
            found[right] = await _in_its_sandbox(right, ground)
    return found


def _in_processes(rights: Sequence[Right], ground: Ground) -> dict[Right, Seen]:
    cases: list[dict[str, object]] = []
    for right in rights:
        tried = attempts(_holdable(in_kernel(right, ground.place, ground.keys).rules))
        wide, narrow = (
            kernel(crew.by_name[right.holder], ground.place, ground.keys).rules
            for crew in (right.granted, right.withheld)
        )
        # Where the kernel cannot hold a member, it starts by consent only, and else gets nowhere.
        cases += [case(wide, tried, consent_weak=True), case(narrow, tried), case(None, tried)]
    through = run_cases(cases)
    return {
        right: Seen.of(dict(zip(WAYS, through[3 * nth : 3 * nth + 3], strict=True))) for nth, right in enumerate(rights)
    }


def _holdable(opened: Confinement) -> Confinement:
    """What this kernel can keep from a process: Landlock before ABI 4 knows no ports."""
    return replace(opened, connect_ports=()) if 0 < landlock.abi() < 4 else opened


async def _in_its_sandbox(right: Right, ground: Ground) -> Seen:
    """Programs run, and reach no network; what else they are held to, `python -m tests.sandbox` attacks."""
    member = right.granted.by_name[right.holder]
    policy = policy_for(member, ground.place, ground.scratch(right.holder))
    assert policy is not None
    bare = replace(policy, backends=(), unsandboxed=True)
    return Seen(
        granted=await _runs(policy, "pass"),
        withheld=await _runs(policy, _CONNECT, ground.port),
        removed=await _runs(bare, _CONNECT, ground.port),
    )


async def _runs(policy: Policy, code: str, *arguments: object) -> bool:
    async with KeptSandbox(start_keeper(runnable(policy))) as sandbox:
        done = await Cell("seccomp", sandbox, Path(policy.scratch_root)).python(code, *arguments)
    return done.returncode == 0
