"""The chain over a stream of the ledger: a running hash in which every message has its place. Pure.

::

    leaf_n = sha256("podium-leaf-1\\n" + JSON [stream, seq, subject, headers, sha256 of the body, stored at])
    hash_n = sha256("podium-chain-1\\n" + hash_{n-1} + leaf_n),  hash_0 = 32 zero bytes

The JSON is compact and ASCII; headers are pairs in the order of their names, without `Podium-Claim`; the time is in
microseconds since 1970. A body that is kept apart counts by the digest its claim names, so that a message has the same
leaf whether or not its body is at hand. Messages that cannot be read have one leaf together:
sha256("podium-gap-1\\n" + JSON [stream, first, last]).

`orchestrator/standalone/verify_ledger.py` computes the same without this file.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from bus.bus import Stored
from bus.claims import CLAIM
from contracts.base import sha256
from contracts.checkpoint import Chained

START = Chained(last=0, hash="00" * 32)
"""A stream of which nothing is chained yet."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SHA256 = re.compile(r"[0-9a-f]{64}")


def leaf(kept: Stored) -> bytes:
    """What stands for a message in the chain, 32 bytes."""
    headers = sorted((name, said) for name, said in kept.headers.items() if name != CLAIM)
    at = (kept.stored_at - _EPOCH) // _MICROSECOND
    return _hashed("podium-leaf-1", [kept.stream, kept.seq, kept.subject, headers, body_sha256(kept), at])


def gap(stream: str, first: int, last: int) -> bytes:
    """What stands in the chain for messages that cannot be read, 32 bytes."""
    return _hashed("podium-gap-1", [stream, first, last])


def link(before: bytes, leaf: bytes) -> bytes:
    """The running hash after one more leaf."""
    return hashlib.sha256(b"podium-chain-1\n" + before + leaf).digest()


def body_sha256(kept: Stored) -> str:
    """The sha256 of a message's body, wherever that is kept."""
    if CLAIM in kept.headers:
        try:
            claim: Any = json.loads(kept.body)
            if _SHA256.fullmatch(named := claim["sha256"]):
                return str(named)
        except (ValueError, TypeError, KeyError, RecursionError):
            pass  # a claim that is none: the message is what it is
    return sha256(kept.body)


def _hashed(what: str, values: list[object]) -> bytes:
    return hashlib.sha256(f"{what}\n{json.dumps(values, separators=(',', ':'))}".encode()).digest()
