"""The claim check: a body that is too large for a message is kept apart, in chunks, and the message names it.

The chunks of the message on `<subject>` are kept first, on `chunk.<subject>.<sha256 of the body>.<n>`, and each only
once. Then the message itself is kept: its body is a `Claim`, and `Podium-Claim: 1` says so. Its seal is the seal of the
whole body, so that nobody can put another one in its place; and since chunks stand below their message's own subject,
the broker lets read and write them whom it lets read and write the message (docs/decisions/0013).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from io import BytesIO
from typing import TypeVar

import anyio
from pydantic import Field, ValidationError

from bus.background import cause
from bus.bus import Headers, Message, Stored
from bus.errors import InvalidMessage, TooLarge
from bus.subjects import chunk
from contracts.base import Model, Sha256, sha256

log = logging.getLogger(__name__)

CLAIM = "Podium-Claim"

MAX_WHOLE = 960 << 10
"""Bytes of a body that travels in its message: with its headers it fits into the 1 MiB that a NATS server takes unless
it was told otherwise."""

MAX_BODY = 256 << 20
"""Bytes of a body at all. While it is made or read a process holds it several times over, and the sandbox's own answers
end here, too."""

_AT_ONCE = 4
"""Chunks on their way at a time."""

PutChunk = Callable[[str, bytes], Awaitable[None]]
"""Keeps a chunk on a subject; one that is kept there already is left."""

GetChunk = Callable[[str], Awaitable[bytes | None]]
"""The chunk that is kept on a subject."""

M = TypeVar("M", Message, Stored)
T = TypeVar("T")


class Claim(Model):
    """What a message says instead of its body."""

    sha256: Sha256
    size: int = Field(gt=0, le=MAX_BODY, description="Bytes of the body.")
    chunk_bytes: int = Field(ge=64 << 10, le=8 << 20, description="Of each chunk but the last.")

    def chunks(self, subject: str) -> list[str]:
        """The subjects of the chunks of the message on `subject`, in order."""
        return [chunk(subject, self.sha256, n) for n in range(-(-self.size // self.chunk_bytes))]


def check_size(subject: str, size: int) -> None:
    """See that a body of `size` bytes can be kept at all.

    Raises:
        TooLarge: it cannot.
    """
    if size > MAX_BODY:
        raise TooLarge(subject, size, MAX_BODY)


def claim_of(message: Message | Stored) -> Claim | None:
    """The claim that stands for a message's body; None where the body is there.

    Raises:
        InvalidMessage: it is no claim, though it says so.
    """
    if CLAIM not in message.headers:
        return None
    try:
        return Claim.model_validate_json(message.body)
    except ValidationError as wrong:
        raise InvalidMessage(message.subject, f"not a claim: {wrong.errors()[0]['msg']}") from None


async def kept_apart(subject: str, body: bytes, put: PutChunk) -> tuple[bytes, Headers]:
    """Keep `body` in chunks; the body and the header of the message that names it. Can be done over at any point."""
    claim = Claim(sha256=sha256(body), size=len(body), chunk_bytes=MAX_WHOLE)
    places = claim.chunks(subject)
    for first in range(0, len(places), _AT_ONCE):
        parts = enumerate(places[first : first + _AT_ONCE], first)
        await _together([partial(put, place, body[n * MAX_WHOLE : (n + 1) * MAX_WHOLE]) for n, place in parts])
    return claim.canonical(), {CLAIM: "1"}


async def whole(message: M, get: GetChunk) -> M:
    """The message with its body, as it would be if that had not been kept apart.

    Raises:
        InvalidMessage: the body is not there, or is not what the message says.
    """
    claim = claim_of(message)
    if claim is None:
        return message
    body = await _collected(message.subject, claim, get)
    return replace(message, body=body, headers={name: said for name, said in message.headers.items() if name != CLAIM})


async def readable(kept: Stored, get: GetChunk) -> Stored:
    """As `whole`; a message whose body cannot be had is left as it is, and the log says why.

    What is left is not what its sender sealed, so to whoever checks the seal it is not there.
    """
    try:
        return await whole(kept, get)
    except InvalidMessage as wrong:
        log.warning("not read: %s", wrong)
        return kept


async def _collected(subject: str, claim: Claim, get: GetChunk) -> bytes:
    buffer, digest = BytesIO(), hashlib.sha256()
    places = claim.chunks(subject)
    for first in range(0, len(places), _AT_ONCE):
        parts = await _together([partial(get, place) for place in places[first : first + _AT_ONCE]])
        for n, data in enumerate(parts, first):
            wanted = min(claim.chunk_bytes, claim.size - n * claim.chunk_bytes)
            if data is None:
                raise InvalidMessage(subject, f"chunk {n + 1} of {len(places)} of its body is missing")
            if len(data) != wanted:
                told = f"chunk {n + 1} of {len(places)} of its body has {len(data)} bytes instead of {wanted}"
                raise InvalidMessage(subject, told)
            digest.update(data)
            buffer.write(data)
    if digest.hexdigest() != claim.sha256:
        raise InvalidMessage(
            subject, f"its body has the sha256 {digest.hexdigest()}, and the message names {claim.sha256}"
        )
    return buffer.getvalue()  # without a copy


async def _together(work: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """What each of `work` gives, done side by side; raises what the first of them raises."""
    found: dict[int, T] = {}

    async def do(n: int) -> None:
        found[n] = await work[n]()

    try:
        async with anyio.create_task_group() as tasks:
            for n in range(len(work)):
                tasks.start_soon(do, n)
    except ExceptionGroup as several:
        raise cause(several) from several
    return [found[n] for n in range(len(work))]
