"""A member with a valid identity and code of its own tries everything that the table names."""

from __future__ import annotations

from pathlib import Path

from tests.hostile.battery import attack


async def test_a_hostile_member_gains_nothing_and_what_the_broker_refused_it_is_in_the_audit(tmp_path: Path) -> None:
    """At its peers, the ledger, gates, files and the machine; `python -m tests.hostile` prints it."""
    rows = await attack(tmp_path)
    assert [row for row in rows if row.bad] == []
    held = {row.held for row in rows}
    assert {"the broker", "the kernel", "the stream", "the seal", "its peer", "its overseer"} <= held
