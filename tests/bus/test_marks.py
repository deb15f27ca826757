"""What the marks of a ledger say about a later state of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.bus import ABSENT
from bus.marks import LedgerTorn, Mark, Marks, losses, read, take, write
from tests.bus.rigs import NatsRig

COUNTS = st.integers(min_value=0, max_value=1000)


@given(COUNTS, COUNTS, st.integers(min_value=0, max_value=1000))
def test_growth_is_no_loss_and_every_missing_message_is_counted(held: int, more: int, lost: int) -> None:
    """Whatever came meanwhile, exactly what is gone is missed; a stream that is gone lacks all it held."""
    before = Marks(streams={"LEDGER_x": Mark(last=held, messages=held)})
    grown = Marks(streams={"LEDGER_x": Mark(last=held + more, messages=held + more)})
    assert losses(before, grown) == ()
    lost = min(lost, held)
    torn = Marks(streams={"LEDGER_x": Mark(last=held + more, messages=held + more - lost)})
    assert losses(before, torn) == ((f"LEDGER_x lacks {lost} of {held} messages",) if lost else ())
    assert losses(before, Marks()) == ((f"LEDGER_x lacks {held} of {held} messages",) if held else ())


def test_marks_come_back_from_their_file_and_a_damaged_file_is_said(tmp_path: Path) -> None:
    """Nothing is held where there is no file; what cannot be read proves nothing."""
    file = tmp_path / "marks.json"
    assert read(file) == Marks()
    marks = Marks(streams={"LEDGER_x": Mark(last=3, messages=3)})
    write(file, marks)
    assert read(file) == marks
    assert [path.name for path in tmp_path.iterdir()] == ["marks.json"]
    file.write_text("{")
    with pytest.raises(LedgerTorn):
        read(file)


async def test_a_server_that_left_the_crew_is_still_looked_after(nats: NatsRig) -> None:
    """Its stream stays in the ledger, so its absence from the crew is no loss, and what it loses is one."""
    async with nats.connect("operator") as bus:
        await bus.store("call.echo.say.operator." + "0" * 32, b"{}", expect=ABSENT)
        full = await take(bus, ["echo", "other"], Marks())
        assert full.streams["LEDGER_echo"] == Mark(last=1, messages=1)
        assert losses(full, await take(bus, ["other"], full)) == ()
