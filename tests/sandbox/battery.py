"""One attack, with and without a sandbox, and what came of it. The tests and the command are made of this."""

from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from servers.sandbox.job import Finished
from servers.testing.junit import NoReport, read_report
from tests.sandbox.attacks import ATTACKS, PRELUDE, Attack
from tests.sandbox.bare import unconfined
from tests.sandbox.bombs import BOMBS
from tests.sandbox.cells import Cell, is_gone
from tests.sandbox.world import MARK, SECRET, World, broker, world

EVERY_ATTACK = ATTACKS + BOMBS
OUTLIVED = "a process outlived the program"
READ_S = 20


async def attempt(where: Cell, attack: Attack) -> tuple[list[str], Finished]:
    """Try `attack` inside `where`: what it reached or changed outside, and how the program ended."""
    with _target(attack) as port, world(port) as target:
        _lay_out_another_job(where.root)
        finished = await where.python(
            PRELUDE + attack.code,
            *target.names(),
            limits=attack.limits,
            read_only=(target.venv,),
            name=folder(attack),
        )
        breaches = _breaches(target, finished.channel)
        scratch = where.root / folder(attack)
        if not is_gone(scratch):
            breaches.append(OUTLIVED)
        if attack.leaves and MARK in _as_podium_reads(scratch, attack.leaves):
            breaches.append("read for it by Podium")
        return breaches, finished


def attempt_bare(root: Path, attack: Attack) -> tuple[list[str], str]:
    """Try `attack` without a sandbox, in a folder below `root`: what it reached, and what the program printed."""
    with _target(attack) as port, world(port) as target:
        _lay_out_another_job(root)
        with unconfined(PRELUDE + attack.code, target.names(), root / folder(attack)) as ended:
            breaches = _breaches(target, ended.channel)
            if ended.survived:
                breaches.append(OUTLIVED)
            if attack.leaves and _is_read_naively(root / folder(attack) / attack.leaves):
                breaches.append("read for it")
            return breaches, ended.output.decode(errors="replace")


def known(backend: str, attack: Attack) -> bool:
    """Whether the weak level's notes say that `attack` gets through."""
    return backend == "seccomp" and (attack.weak_root if os.geteuid() == 0 else attack.weak_user)


def folder(attack: Attack) -> str:
    """The name of an attack's scratch."""
    return "".join(c if c.isalnum() else "-" for c in attack.name)


def _target(attack: Attack) -> AbstractContextManager[int]:
    return broker() if attack.broker else nullcontext(0)


def _lay_out_another_job(root: Path) -> None:
    other = root / "other"
    other.mkdir(exist_ok=True)
    (other / "secret").write_text(SECRET)
    (other / "secret").chmod(0o600)


def _breaches(target: World, channel: bytes) -> list[str]:
    said = (line for line in channel.decode(errors="replace").splitlines() if line.startswith("breach"))
    return [*said, *target.harm()]


def _as_podium_reads(scratch: Path, name: str) -> str:
    try:
        return "".join(case.id for case in read_report(scratch, name))
    except NoReport:
        return ""


def _is_read_naively(path: Path) -> bool:
    """Whether a reader that looks first and opens then comes to read the secret; who swaps needs some tries."""
    until = time.monotonic() + READ_S
    while time.monotonic() < until:
        try:
            if path.exists() and MARK in path.read_text():
                return True
        except OSError:
            continue  # it is being swapped
    return False
