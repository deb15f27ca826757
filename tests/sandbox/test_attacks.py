"""No attack gets anywhere, at any level, except where the level's notes say so."""

from __future__ import annotations

import pytest

from tests.sandbox.attacks import Attack
from tests.sandbox.battery import EVERY_ATTACK, attempt, attempt_bare, known
from tests.sandbox.cells import Cell, available, heirloom, scratch_root


def test_some_sandbox_works_here() -> None:
    """Without any backend, every other test here would be empty."""
    assert available()


@pytest.mark.parametrize("attack", [a for a in EVERY_ATTACK if not a.needs], ids=lambda a: a.name)
def test_an_attack_is_real(attack: Attack) -> None:
    """Unconfined, the attack gets where it wants: so its failure elsewhere means something."""
    with scratch_root() as root, heirloom(root):
        breaches, output = attempt_bare(root, attack)
    assert breaches, output


@pytest.mark.parametrize("attack", EVERY_ATTACK, ids=lambda a: a.name)
async def test_an_attack_is_contained(confined: Cell, attack: Attack) -> None:
    """The program is stopped, or what it does stays inside; it ran at all; and nothing of it is left."""
    breaches, finished = await attempt(confined, attack)
    if known(confined.backend, attack):
        assert any("can read" in note or "can be read" in note or "signals" in note for note in finished.report.notes)
    else:
        assert not breaches, finished.output.decode()
    assert finished.report.ended in attack.ends, finished
