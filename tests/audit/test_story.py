"""`podium audit show`: all that is stored of one call, and whose word it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.auditing.story import NotFound, story
from tests.audit.messages import Scribe


async def test_a_call_is_found_by_the_beginning_of_its_id_and_by_its_place() -> None:
    """Also by the place of its answer."""
    scribe = Scribe()
    for n in (1, 2, 17):
        scribe.call(n)
    scribe.result(2, outcome="denied")
    bus = scribe.broker.connect("auditor")
    found = await story(bus, ["echo"], "c2")
    assert found.record is not None
    assert (found.record.call_id, found.record.outcome) == ("c2", "denied")
    assert [(each.what, each.place, each.claims, each.verified) for each in found.parts] == [
        ("request", "LEDGER_echo:2", "orchestrator", True),
        ("result", "LEDGER_echo:4", "echo", True),
    ]
    assert found == await story(bus, ["echo"], "LEDGER_echo:2") == await story(bus, ["echo"], "LEDGER_echo:4")
    assert (await story(bus, ["echo"], "c1")).parts[0].place == "LEDGER_echo:1", "a whole id is no beginning"
    with pytest.raises(NotFound, match="`c` could be c1, c2, c17; give more of it"):
        await story(bus, ["echo"], "c")


MISSING = ("c9", "*", ">", "a.b", "", "LEDGER_echo:99", "LEDGER_echo:x", "no such:1", "LEDGER_echo:")


@pytest.mark.parametrize("which", MISSING)
async def test_what_is_not_there_is_said(which: str) -> None:
    """Nothing that is typed becomes a subject of another form."""
    scribe = Scribe()
    scribe.call(1)
    with pytest.raises(NotFound, match="there is no"):
        await story(scribe.broker.connect("auditor"), ["echo"], which)


async def test_an_answer_that_was_changed_is_shown_and_does_not_hold() -> None:
    """The call counts as not answered, as in the list."""
    scribe = Scribe()
    scribe.call(1)
    scribe.result(1)
    scribe.stream[1] = replace(scribe.stream[1], body=scribe.stream[1].body.replace(b"answer", b"anzwer"))
    found = await story(scribe.broker.connect("auditor"), ["echo"], "c1")
    assert found.record is not None
    assert found.record.outcome == "open"
    assert [(each.what, each.claims, each.verified) for each in found.parts] == [
        ("request", "orchestrator", True),
        ("result", "echo", False),
    ]
