"""What becomes of a store that was damaged while nobody looked: found out, or whole again; never less in silence."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bus.bus import Bus
from bus.errors import Unreadable
from bus.marks import Marks, losses, take
from contracts.ledger import server_stream
from tests.bus.rigs import NatsRig

MESSAGES = 40
STREAM = server_stream("echo")
BODY = b"x" * 300


async def _fill(bus: Bus, first: int) -> None:
    for number in range(first, first + MESSAGES):
        await bus.store(f"call.echo.say.operator.{number:032x}", BODY)


async def _damaged(nats: NatsRig, damage: Callable[[Path], None]) -> Marks:
    """Fill the stream and damage its files while the broker is down; what it held."""
    async with nats.connect("operator") as bus:
        await _fill(bus, 0)
    nats.broker.stop()
    (stream,) = nats.state.rglob(STREAM)
    shutil.copytree(stream, nats.state / "copy")
    nats.broker.start()
    async with nats.connect("operator") as bus:
        await _fill(bus, MESSAGES)
        before = await take(bus, ["echo"], Marks())
    nats.broker.stop()
    damage(stream)
    nats.broker.start()
    return before


def _block(stream: Path) -> Path:
    return stream / "msgs/1.blk"


def _cut_off(stream: Path) -> None:
    with _block(stream).open("r+b") as block:
        block.truncate(_block(stream).stat().st_size // 2)


def _scribble_over_all_that_follows(stream: Path) -> None:
    held = _block(stream).read_bytes()
    _block(stream).write_bytes(held[: len(held) // 2] + bytes(len(held) // 2))


def _remove_block(stream: Path) -> None:
    _block(stream).unlink()


def _put_back_an_old_copy(stream: Path) -> None:
    shutil.rmtree(stream)
    shutil.copytree(stream.parents[5] / "copy", stream)


def _flip_one_byte(stream: Path) -> None:
    held = _block(stream).read_bytes()
    _block(stream).write_bytes(held.replace(BODY, BODY[1:] + b"y", 1))


def _remove_index(stream: Path) -> None:
    (stream / "msgs/index.db").unlink()


@pytest.mark.parametrize(
    "damage", [_cut_off, _scribble_over_all_that_follows, _remove_block, shutil.rmtree, _put_back_an_old_copy]
)
async def test_a_store_that_holds_less_is_found_out(damage: Callable[[Path], None], nats: NatsRig) -> None:
    """Broken blocks, missing files and an old copy alike: the marks say how much is missing, and of what."""
    before = await _damaged(nats, damage)
    async with nats.connect("operator") as bus:
        (told,) = losses(before, await take(bus, ["echo"], before))
        assert told.startswith(f"{STREAM} lacks ")


async def test_a_message_that_cannot_be_read_is_not_passed_over(nats: NatsRig) -> None:
    """The broker leaves it out, and counts it: all others are read, and then that one is missing is said."""
    await _damaged(nats, _flip_one_byte)
    read: list[int] = []

    async def read_all(bus: Bus) -> None:
        async for kept in bus.history(STREAM):
            read.append(kept.seq)

    async with nats.connect("operator") as bus:
        with pytest.raises(Unreadable, match=f"1 messages of {STREAM} cannot be read"):
            await read_all(bus)
    assert read == list(range(2, 2 * MESSAGES + 1))


async def test_an_index_that_is_gone_is_made_anew(nats: NatsRig) -> None:
    """It holds nothing that the messages do not say."""
    before = await _damaged(nats, _remove_index)
    async with nats.connect("operator") as bus:
        assert losses(before, await take(bus, ["echo"], before)) == ()
        assert len([kept async for kept in bus.history(STREAM)]) == 2 * MESSAGES


async def test_a_history_of_large_messages_is_read_to_its_end(nats: NatsRig) -> None:
    """The broker ends a batch early when it holds many bytes; that is not the end of what is stored."""
    async with nats.connect("operator") as bus:
        for number in range(20):
            await bus.store(f"call.echo.say.operator.{number:032x}", bytes(7 << 20))
        assert len([kept async for kept in bus.history(STREAM)]) == 20
