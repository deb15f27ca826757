"""From the client's messages to ours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg

from bus.bus import Message, Stored
from bus.crash import crash_point

WRONG_LAST_SEQUENCE = 10071
"""JetStream's error where something else stands than was expected."""
IMPOSSIBLE = 1 << 53
"""A sequence number that no stream has come to."""


@dataclass(frozen=True)
class NatsDelivery:
    """A message that a durable consumer delivered."""

    message: Message
    attempt: int
    repeated: bool
    stored_at: datetime
    _client: Client
    _ack_subject: str

    async def ack(self) -> None:
        """See `Delivery.ack`."""
        crash_point("ack.before")
        await self._client.publish(self._ack_subject, b"+ACK")
        crash_point("ack.after")

    async def in_progress(self) -> None:
        """See `Delivery.in_progress`."""
        await self._client.publish(self._ack_subject, b"+WPI")

    async def reject(self, reason: str) -> None:
        """See `Delivery.reject`."""
        await self._client.publish(self._ack_subject, f"+TERM {reason}".encode())

    async def hand_back(self) -> None:
        """See `Delivery.hand_back`."""
        await self._client.publish(self._ack_subject, b"-NAK")


_OF_THE_ANSWER = frozenset(
    f"Nats-{name}"
    for name in ("Stream", "Subject", "Sequence", "Time-Stamp", "Num-Pending", "Last-Sequence", "UpTo-Sequence")
)
"""Headers the broker adds when it hands a message out; they are not stored."""


def message_of(msg: Msg) -> Message:
    """A message that is not kept."""
    return Message(msg.subject, msg.data, msg.headers or {}, msg.reply)


def last_of(error: dict[str, Any]) -> int:
    """The sequence number that a refused expectation names: of the newest message there; 0 if there is none."""
    return int(str(error.get("description", "")).rpartition(" ")[2])


def stored_of(msg: Msg) -> Stored:
    """What a DIRECT.GET has found."""
    headers = msg.headers or {}
    return Stored(
        stream=headers["Nats-Stream"],
        seq=int(headers["Nats-Sequence"]),
        subject=headers["Nats-Subject"],
        body=msg.data,
        headers={name: said for name, said in headers.items() if name not in _OF_THE_ANSWER},
        stored_at=datetime.fromisoformat(headers["Nats-Time-Stamp"]),
    )
