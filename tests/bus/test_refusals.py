"""What the broker refuses, as it is read in its log, and as little of it as the ledger can bear."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import nats as nats_client
import pytest

from bus.connect import identities
from bus.errors import BusUnavailable
from bus.identity import load_identity, new_identity
from bus.nats_bus import connect_nats
from bus.nats_link import barrier
from bus.refusals import BrokerLog, Refusal
from contracts.ledger import Denials
from servers.denials import LISTED, DenialNotes, notes_of
from tests.bus.rigs import NatsRig
from tests.bus.test_permissions import attacker

KEY = "U" + "A" * 55


def key_of(rig: NatsRig, name: str) -> str:
    return load_identity(identities(rig.state), name).public


async def test_what_the_broker_refuses_is_read_with_whose_it_was(nats: NatsRig) -> None:
    """Where it may not write or listen, and how often; what was read once is not read again."""
    nats.broker.refusals()
    async with attacker(nats, "other") as enemy:
        for _ in range(3):
            await enemy.refused(publish="run.r-aaaa.begun")
        await enemy.refused(publish='run."\\')
        await enemy.refused(subscribe="gate.>")
    key = key_of(nats, "other")
    assert nats.broker.refusals() == {
        Refusal(key, "publish", "run.r-aaaa.begun"): 3,
        Refusal(key, "publish", r"run.\"\\"): 1,
        Refusal(key, "subscribe", "gate.>"): 1,
    }
    assert nats.broker.refusals() == {}


async def test_nobody_can_have_the_log_say_something_of_another(nats: NatsRig) -> None:
    """What a client says of itself stands in each of its lines."""
    nats.broker.refusals()
    victim = key_of(nats, "echo")
    told = f'x" - "$G/nkey:{victim}" - Publish Violation - Subject "run.x'
    forged = f'x\n[1] a b [ERR] 127.0.0.1:1 - cid:1 - "v" - "$G/nkey:{victim}" - Publish Violation - Subject "run.x"\n'
    for name in (told, forged):
        enemy = await nats_client.connect(  # pyright: ignore[reportUnknownMemberType] - untyped **options upstream
            nats.broker.url,
            name=name,
            nkeys_seed_str=load_identity(identities(nats.state), "other").seed,
            inbox_prefix="_INBOX.other",
            allow_reconnect=False,
        )
        await enemy.publish("run.mine", b"")
        await barrier(enemy)
        await enemy.close()
    assert nats.broker.refusals() == {Refusal(key_of(nats, "other"), "publish", "run.mine"): 2}


async def test_a_key_that_is_nobodys_is_noted(nats: NatsRig) -> None:
    """With the key."""
    stranger = new_identity("echo")
    nats.broker.refusals()
    with pytest.raises(BusUnavailable):
        async with connect_nats(nats.broker.url, stranger):
            raise AssertionError("the broker let a stranger in")
    assert set(nats.broker.refusals()) == {Refusal(stranger.public, "connect", "")}


def test_a_log_that_grows_is_cut_off(tmp_path: Path) -> None:
    """However many lines somebody provokes; those that come later are read as before."""
    log, line = (
        BrokerLog(tmp_path / "nats.log"),
        f'[1] a b [ERR] c - cid:1 - "v" - "$G/nkey:{KEY}" - Publish Violation - ',
    )
    refused = (line + 'Subject "run.x"\n').encode()
    end = log.begin()
    try:
        for _ in range(3):
            os.write(end, refused * (5 * 1024 * 1024 // len(refused)))
            assert set(log.refusals()) == {Refusal(KEY, "publish", "run.x")}
            assert (tmp_path / "nats.log").stat().st_size < 8 << 20
        os.write(end, refused[:-9])
        assert log.refusals() == {}
        os.write(end, refused[-9:])
        assert log.refusals() == {Refusal(KEY, "publish", "run.x"): 1}
    finally:
        os.close(end)


def test_a_note_has_a_limit_and_counts_what_is_beyond() -> None:
    """What was refused most often comes first; a key that nobody ever had is a stranger's."""
    flood = Counter({Refusal(KEY, "publish", f"run.{n}"): 1 + (n == 7) for n in range(1000)})
    notes = notes_of(flood + Counter({Refusal("other", "connect", ""): 2}), {KEY: "echo"})
    assert (notes["echo"].denials[0].subject, notes["echo"].denials[0].times) == ("run.7", 2)
    assert (len(notes["echo"].denials), notes["echo"].more) == (LISTED, 1000 - LISTED)
    assert [(each.verb, each.times) for each in notes["stranger"].denials] == [("connect", 2)]


def test_notes_become_fewer_while_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour of refusals, five times a second, comes to a note a minute, and no refusal is left out of the count."""
    now, written, counted = 1000.0, list[float](), 0

    def write(run: Callable[[], None]) -> int:
        run()
        return 0

    def note(notes: dict[str, Denials]) -> None:
        nonlocal counted
        written.append(now)
        counted += sum(denial.times for denial in notes["echo"].denials)

    monkeypatch.setattr("servers.denials.fork", write)
    monkeypatch.setattr("servers.denials.reap", abs)
    monkeypatch.setattr("servers.denials.time.monotonic", lambda: now)
    denials = DenialNotes(note)  # pyright: ignore[reportArgumentType]
    denials.know({"echo": KEY})
    for _ in range(5 * 3600):
        denials.take(Counter({Refusal(KEY, "publish", "run.x"): 10}))
        now += 0.2
    denials.finish()
    assert counted == 10 * 5 * 3600
    assert written[0] < 1001
    assert 60 <= len(written) <= 70
