"""Bodies that are kept apart, as the operator sees them: which there are, and giving them up.

What a message says and that it was said stays provable: its seal and the notary's chain cover the body's digest.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from bus.bus import Bus
from bus.claims import claim_of
from bus.errors import InvalidMessage, StoreRefused
from bus.provision import ask_jetstream
from bus.subjects import chunk, stream_of
from contracts.ledger import object_stream, server_stream
from contracts.run import GivenUp

_FIRST_CHUNKS = (chunk("result.*.*.*", "*", 0), chunk("call.*.*.*.*", "*", 0))


async def kept_apart(operator: Bus, server: str) -> AsyncGenerator[GivenUp]:
    """The bodies of calls to `server` and of its answers, answers first; nothing of them is read.

    Raises:
        StoreRefused: the broker does not say what there is.
    """
    stream = server_stream(server)
    for pattern in _FIRST_CHUNKS:
        for place in await _subjects(operator, object_stream(stream), pattern):
            subject, sha256, _ = place.removeprefix("chunk.").rsplit(".", 2)
            async for kept in operator.history(stream, subject, whole=False):
                try:
                    claim = claim_of(kept)
                except InvalidMessage:
                    continue
                if claim is not None and claim.sha256 == sha256:
                    chunks = len(claim.chunks(subject))
                    yield GivenUp(subject=subject, bytes=claim.size, sha256=sha256, chunks=chunks)
                    break


async def give_up(operator: Bus, body: GivenUp) -> None:
    """Have the broker remove a body's chunks; none that are there already gone are missed.

    Raises:
        StoreRefused: it does not.
    """
    places = chunk(body.subject, body.sha256, "*")
    said = await ask_jetstream(operator, f"STREAM.PURGE.{stream_of(places)}", {"filter": places})
    if error := said.get("error"):
        raise StoreRefused(body.subject, f"its body cannot be removed: {error}")


async def _subjects(operator: Bus, stream: str, pattern: str) -> list[str]:
    """The subjects that have a message in `stream`; the broker says so many at a time."""
    found: list[str] = []
    while True:
        said = await ask_jetstream(
            operator, f"STREAM.INFO.{stream}", {"subjects_filter": pattern, "offset": len(found)}
        )
        if error := said.get("error"):
            raise StoreRefused(stream, f"the broker does not say what it holds: {error}")
        page = list(said["state"].get("subjects") or ())
        found += page
        if not page or len(found) >= int(said.get("total", 0)):
            return sorted(found)
