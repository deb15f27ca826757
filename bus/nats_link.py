"""A supervised connection of the NATS client: it says who was refused what, and when it is over for good.

What the client itself leaves out: a refused publish reaches only its error callback while whoever waits for an
answer sees a timeout; any other protocol error closes it without another word.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import anyio
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from bus.errors import BusUnavailable, StoreRefused
from bus.identity import Identity
from contracts.ledger import ROSTER_BUCKET

log = logging.getLogger(__name__)

_REFUSED = re.compile(r'permissions violation for publish to "([^"]+)"', re.IGNORECASE)
_REMEMBERED = 1024
_BARRIER_S = 30.0
_ATTEMPT_S = 0.5
_NOTHING = b'{"last_by_subj": "$KV.roster.-"}'
_PAUSE_S = 10.0
_PATIENCE_S = 10.0
"""How long nobody may be at the address of a new connection: a broker that died is being started again."""


def addresses(url: str) -> list[str]:
    """The brokers that `url` names, separated by commas."""
    return [one.strip() for one in url.split(",") if one.strip()]


class HeaderReader(Client):
    """The client, reading headers without a look at each single character: that was half of what a message cost."""

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        found: dict[str, str] = {}
        for line in raw.split(b"\r\n"):
            name, colon, value = line.partition(b":")
            key = name.strip()
            if colon and key.isascii() and len((text := key.decode()).split()) <= 1 and text == text.strip():
                found[text] = value.strip().decode("utf-8", "replace")
        return found


class Link:
    """One identity's connection."""

    def __init__(self, identity: Identity) -> None:
        self.client: Client = HeaderReader()
        self.closed = anyio.Event()
        """Set when the connection is over and will not come back."""
        self.connection = 0
        """Counts the connections that this link has had."""
        self.broken = anyio.Event()
        """Set when the connection of that number is; the next one has another event."""
        self._name = identity.name
        self._seed = identity.seed
        self._give_up_at: float | None = None
        """Until when nobody at any address is borne with; None once that is over. `anyio.current_time()`."""
        self._refused: OrderedDict[str, None] = OrderedDict()

    async def connect(self, url: str, credentials: str | None) -> None:
        """Connect to one of the brokers that `url` names, and from then on to any as long as that is wanted.

        Raises:
            NatsError, OSError: nothing answers there, or the server refuses the identity.
        """
        servers = addresses(url)
        self._give_up_at = anyio.current_time() + _PATIENCE_S
        try:
            await self._connect(random.sample(servers, len(servers)), credentials)
        finally:
            self._give_up_at = None

    @property
    def clustered(self) -> bool:
        """Whether the broker is one of several that keep the ledger together."""
        return bool(self.client._server_info.get("cluster"))  # pyright: ignore[reportPrivateUsage] - it tells nobody

    @property
    def peer(self) -> str:
        """The broker at the other end, as host and port: an address may hold a password."""
        url = self.client.connected_url
        return f"{url.hostname}:{url.port}" if url else "nobody"

    @property
    def pause_s(self) -> float:
        """See `Bus.pause_s`."""
        return _PAUSE_S if self.clustered else 0.0

    async def _connect(self, servers: list[str], credentials: str | None) -> None:
        await self.client.connect(
            servers,
            dont_randomize=True,  # they are in an order of their own; who is left for another is not the next
            name=f"podium {self._name}",
            nkeys_seed_str=None if credentials else self._seed,
            user_credentials=credentials,
            inbox_prefix=f"_INBOX.{self._name}",
            error_cb=self._on_error,
            disconnected_cb=self._on_broken,
            closed_cb=self._on_closed,
            connect_timeout=5,
            reconnect_time_wait=0.1,  # pyright: ignore[reportArgumentType] - seconds; a fraction works, the hint says int
            max_reconnect_attempts=-1,
            ping_interval=3
            if len(servers) > 1
            else 10,  # where there is another broker, leaving a dead one is worth it
            max_outstanding_pings=2,
            pending_size=64 << 20,
        )

    async def request(
        self, subject: str, body: bytes, *, timeout_s: float, headers: Mapping[str, str] | None = None
    ) -> Msg:
        """Ask once.

        Raises:
            StoreRefused: the broker does not let this identity publish there.
            NatsError, ConnectionError, TimeoutError: as the client has it.
        """
        try:
            return await self.client.request(subject, body, timeout=timeout_s, headers=dict(headers or {}) or None)
        except TimeoutError:
            if refusal := self.refusal(subject):
                raise refusal from None
            raise

    def refusal(self, subject: str) -> StoreRefused | None:
        """What is to be told to whoever waits for an answer there, if the broker has refused it."""
        if subject.lower() not in self._refused:  # the client tells subjects in lower case
            return None
        return StoreRefused(subject, f"the broker does not permit {self._name} to publish there")

    async def _on_error(self, wrong: Exception) -> None:
        if self._give_up_at is not None:
            if not isinstance(wrong, OSError) or anyio.current_time() > self._give_up_at:
                raise wrong  # the client would try a refused identity, or an address where nobody is, forever
            return
        log.warning("%s: %s", self._name, wrong)
        if hit := _REFUSED.search(str(wrong)):
            self._refused[hit[1].lower()] = None
            if len(self._refused) > _REMEMBERED:
                self._refused.popitem(last=False)

    async def _on_broken(self) -> None:
        self.connection += 1
        self.broken.set()
        self.broken = anyio.Event()

    async def _on_closed(self) -> None:
        self.closed.set()


@asynccontextmanager
async def linked(url: str, identity: Identity, credentials: str | None) -> AsyncGenerator[Link]:
    """A link for as long as the block runs.

    Raises:
        BusUnavailable: nothing answers there, or the server refuses the identity.
    """
    link = Link(identity)
    try:
        await link.connect(url, credentials)
    except (NatsError, OSError) as wrong:
        await _close(link.client)
        raise BusUnavailable(f"cannot connect to {url} as {identity.name}: {wrong}") from wrong
    try:
        yield link
    finally:
        await _close(link.client)


async def _close(client: Client) -> None:
    """Close it, whatever happens.

    A client that has lost its broker may cancel its own closing; that is nobody else's cancellation.
    """
    with anyio.CancelScope(shield=True):
        closing = asyncio.ensure_future(client.close())
        await asyncio.wait([closing])
        if not closing.cancelled():
            closing.result()


async def subscribe(
    client: Client, subject: str, queue: str = "", cb: Callable[[Msg], Awaitable[None]] | None = None
) -> Subscription:
    """The client's `subscribe`, with types.

    Raises:
        BusUnavailable: the connection is over.
    """
    try:
        return await client.subscribe(subject, queue=queue, cb=cb)  # pyright: ignore[reportUnknownMemberType] - a bare Future in its hints
    except (NatsError, ConnectionError) as wrong:
        raise BusUnavailable(f"nothing is heard on {subject}: {wrong!r}") from wrong


async def barrier(client: Client) -> None:
    """Return once the broker has dealt with everything sent before.

    Any answer will do: it comes after all that was sent before the question. The client's own `flush` is no
    barrier, since it writes its PING ahead of what is still buffered, and it does not survive a reconnect.

    Raises:
        BusUnavailable: no answer in time.
    """
    deadline = anyio.current_time() + _BARRIER_S
    while anyio.current_time() < deadline and not client.is_closed:
        try:
            await client.request(f"$JS.API.DIRECT.GET.KV_{ROSTER_BUCKET}", _NOTHING, timeout=_ATTEMPT_S)
        except NoRespondersError:
            return
        except (TimeoutError, NatsError, ConnectionError):
            continue
        return
    raise BusUnavailable("the broker does not answer")
