"""What can go wrong on the bus.

::

    BusError                 root; `retry` says whether the same operation may succeed later
    ├── BusUnavailable       no answer from the broker in time (retry)
    ├── ServerGone           a call is stored, and whom it is for has left; carries `server`
    ├── StoreRefused         the broker stored nothing: not permitted, too large
    │   ├── StoreFull        there is no room for more (retry)
    │   ├── AlreadyStored    a message stands where none was expected; carries `seq`
    │   ├── Overtaken        somebody else wrote first; carries `expected`
    │   └── TooLarge         more bytes than can be kept or sent; carries `size`, `most` and `way_out`
    ├── Unreadable           the store is damaged; carries `stream` and `lost`
    ├── InvalidMessage       bytes that are not what their subject says; carries `reason`
    └── CallFailed           the call was answered with a failure; carries `failure`
"""

from __future__ import annotations

from contracts.failure import Failure


class BusError(Exception):
    """Root of this package's errors."""

    retry: bool = False


class BusUnavailable(BusError):
    """The broker did not answer in time."""

    retry = True


class ServerGone(BusError):
    """A call is stored, but its server has left the crew, and does not come back.

    Made again it might be made twice: the one that is stored is delivered when the server does come back.
    """

    def __init__(self, server: str, patience_s: float) -> None:
        super().__init__(
            f"{server} left the crew before it answered, and has been away for {patience_s:.0f} s; the call may"
            " have had its effect, or have it when the server comes back"
        )
        self.server = server


class StoreRefused(BusError):
    """The broker refused to store a message; nothing was stored."""

    def __init__(self, subject: str, reason: str, *, retry: bool = False) -> None:
        super().__init__(f"not stored: {subject}: {reason}")
        self.subject = subject
        self.reason = reason
        self.retry = retry


class StoreFull(StoreRefused):
    """The store, or what it may hold, is used up; what was acknowledged before is kept."""

    def __init__(self, subject: str, reason: str) -> None:
        super().__init__(subject, f"the store takes no more ({reason})", retry=True)


class AlreadyStored(StoreRefused):
    """A message stands on this subject already: an earlier attempt got through, or a decision was first."""

    def __init__(self, subject: str) -> None:
        super().__init__(subject, "a message stands there already")


class Overtaken(StoreRefused):
    """Another writer moved on in between (fencing)."""

    def __init__(self, subject: str, expected: int) -> None:
        super().__init__(subject, f"expected the last sequence to be {expected}; another writer was first")
        self.expected = expected


class TooLarge(StoreRefused):
    """A body that nothing carries; nothing was sent."""

    way_out = "Ask for less at once, or split it."

    def __init__(self, subject: str, size: int, most: int) -> None:
        super().__init__(subject, f"{size} bytes are more than the {most} that can be carried")
        self.size = size
        self.most = most

    @property
    def failure(self) -> Failure:
        """What whoever wanted it carried is told."""
        return Failure(kind="limit", message=self.reason, way_out=self.way_out)


class Unreadable(BusError):
    """The store holds messages that cannot be read any more; all others of the stream have been read."""

    def __init__(self, stream: str, lost: int) -> None:
        super().__init__(f"the ledger is damaged: {lost} messages of {stream} cannot be read")
        self.stream = stream
        self.lost = lost


class InvalidMessage(BusError):
    """A message that contradicts its subject, envelope or signature."""

    def __init__(self, subject: str, reason: str) -> None:
        super().__init__(f"{subject}: {reason}")
        self.subject = subject
        self.reason = reason


class CallFailed(BusError):
    """The call ran and was answered with a failure."""

    def __init__(self, server: str, tool: str, failure: Failure) -> None:
        super().__init__(f"{server}.{tool}: {failure}")
        self.server = server
        self.tool = tool
        self.failure = failure
        self.retry = failure.retry
