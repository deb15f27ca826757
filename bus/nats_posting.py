"""Storing messages in JetStream: published under a condition, and again until the broker has answered.

One inbox takes all acknowledgements and one task looks after all that are late, so that a store costs two
messages and no timer. Posts that are in no hurry leave together: on a busy connection most of a message's cost,
here, in the broker and at its reader, is being woken up for it alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from time import monotonic
from typing import Any

import anyio
from anyio.lowlevel import cancel_shielded_checkpoint
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError

from bus.errors import BusUnavailable, StoreRefused, TooLarge
from bus.nats_link import Link, subscribe
from bus.provision import NOT_NOW

_AGAIN_S = 0.5
_GIVE_UP_S = 30.0
_TICK_S = 0.1
_TOGETHER = 16
_UNDECIDED = NOT_NOW | {10158, 10163, 10164}
"""Refusals that say only that another write is on its way, perhaps this one: a cluster agrees before it answers."""
_QUIET_TURNS = 10
"""Turns of the event loop without another post, after which those that wait for company leave."""


@dataclass
class Post:
    """A message on its way to the ledger."""

    subject: str
    body: bytes
    headers: Mapping[str, str]
    give_up_at: float
    again_at: float
    attempts: int = 0
    answer: dict[str, Any] = field(default_factory=dict[str, Any])
    """JetStream's PubAck, decoded."""
    failure: StoreRefused | BusUnavailable | None = None
    done: anyio.Event = field(default_factory=anyio.Event)


class Posting:
    """Posts on one link: `open` it first, and `run` it beside whatever posts."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._inbox = link.client.new_inbox()
        self._tokens = count()
        self._under_way: dict[str, Post] = {}
        self._waiting_for_company: list[str] = []

    async def post(self, subject: str, body: bytes, headers: Mapping[str, str], *, patient: bool = False) -> Post:
        """Publish until JetStream has answered; its answer may be a refusal. See `Bus.store` for `patient`.

        Raises:
            StoreRefused: too large, or not permitted.
            BusUnavailable: no answer within half a minute, or the connection is over.
        """
        now = monotonic()
        token = str(next(self._tokens))
        post = Post(subject, body, headers, give_up_at=now + _GIVE_UP_S, again_at=now + _AGAIN_S)
        self._under_way[token] = post
        try:
            if patient:
                await self._send_in_company(token)
            else:
                await self._send(token, post)
            await post.done.wait()
        finally:
            self._under_way.pop(token, None)
        if post.failure is not None:
            raise post.failure
        return post

    async def _send_in_company(self, token: str) -> None:
        batch = self._waiting_for_company
        batch.append(token)
        if len(batch) == _TOGETHER:
            await self._leave(batch)
        elif len(batch) == 1:  # who came first sees to it that all leave
            seen = 0
            while seen != len(batch) and batch is self._waiting_for_company:
                seen = len(batch)
                for _ in range(_QUIET_TURNS):
                    await cancel_shielded_checkpoint()
            if batch is self._waiting_for_company:
                await self._leave(batch)

    async def _leave(self, batch: list[str]) -> None:
        self._waiting_for_company = []
        for token in batch:
            if (post := self._under_way.get(token)) is not None:
                await self._send(token, post)

    async def _send(self, token: str, post: Post) -> None:
        post.attempts += 1
        try:
            await self._link.client.publish(
                post.subject, post.body, reply=f"{self._inbox}.{token}", headers=dict(post.headers)
            )
        except MaxPayloadError:
            self._end(post, TooLarge(post.subject, len(post.body), self._link.client.max_payload))
        except (NatsError, ConnectionError):
            return  # the connection is being mended; the next round tries again

    @property
    def silence_s(self) -> float:
        """For how long the broker has not answered what waits longest; 0 where nothing waits."""
        given_up_first = min((post.give_up_at for post in self._under_way.values()), default=None)
        return 0.0 if given_up_first is None else _GIVE_UP_S - (given_up_first - monotonic())

    async def open(self) -> None:
        """Begin to take acknowledgements."""
        await subscribe(self._link.client, f"{self._inbox}.*", cb=self._on_answer)

    async def run(self) -> None:
        """Look after acknowledgements that are late, until cancelled."""
        while True:
            await anyio.sleep(_TICK_S)
            now = monotonic()
            for token, post in list(self._under_way.items()):
                if now < post.again_at or post.done.is_set():
                    continue
                if refusal := self._link.refusal(post.subject):
                    self._end(post, refusal)
                elif self._link.closed.is_set() or now > post.give_up_at:
                    self._end(post, BusUnavailable(f"the broker did not acknowledge {post.subject}"))
                else:
                    post.again_at = now + _AGAIN_S
                    await self._send(token, post)

    async def _on_answer(self, msg: Msg) -> None:
        post = self._under_way.get(msg.subject.rpartition(".")[2])
        if post is not None and msg.data:  # without data it says that no stream is there yet
            answer: dict[str, Any] = json.loads(msg.data)
            if answer.get("error", {}).get("err_code") in _UNDECIDED:
                post.again_at = min(post.again_at, monotonic() + _TICK_S)
                return
            post.answer = answer
            post.done.set()

    @staticmethod
    def _end(post: Post, failure: StoreRefused | BusUnavailable) -> None:
        post.failure = failure
        post.done.set()
