"""No attack gets anywhere, at any level, except where the level's notes say so."""

from __future__ import annotations

import os

import pytest

from servers.sandbox.job import Finished
from tests.sandbox.attacks import ATTACKS, PRELUDE, Attack
from tests.sandbox.world import MARK, Cell, World, available, world


async def attempt(where: Cell, attack: Attack) -> tuple[list[str], Finished]:
    with world() as target:
        other = where.root / "other"
        other.mkdir(exist_ok=True)
        (other / "secret").write_text(MARK)
        (other / "secret").chmod(0o600)
        finished = await where.python(PRELUDE + attack.code, *target.names(), name=_folder(attack))
        return _breaches(target, finished), finished


def _folder(attack: Attack) -> str:
    return "".join(c if c.isalnum() else "-" for c in attack.name)


def _breaches(target: World, finished: Finished) -> list[str]:
    return [*finished.channel.decode().splitlines(), *target.harm()]


def test_some_sandbox_works_here() -> None:
    """Without any backend, every other test here would be empty."""
    assert available()


@pytest.mark.parametrize("attack", [a for a in ATTACKS if a.bare], ids=lambda a: a.name)
async def test_an_attack_is_real(bare: Cell, attack: Attack) -> None:
    """Unconfined, the attack gets where it wants: so its failure elsewhere means something."""
    breaches, finished = await attempt(bare, attack)
    assert breaches, finished.output.decode()


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.name)
async def test_an_attack_is_contained(confined: Cell, attack: Attack) -> None:
    """The program is stopped, or what it does stays inside; and it ran at all."""
    breaches, finished = await attempt(confined, attack)
    known = attack.weak_root if os.geteuid() == 0 else attack.weak_user
    if confined.backend == "seccomp" and known:
        assert any("can read" in note or "can be read" in note or "signals" in note for note in finished.report.notes)
    else:
        assert not breaches, finished.output.decode()
    assert finished.report.ended == "exited", finished
