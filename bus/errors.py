"""What can go wrong on the bus.

::

    BusError                 root; `retry` says whether the same operation may succeed later
    ├── BusUnavailable       no answer from the broker in time (retry)
    ├── StoreRefused         the broker stored nothing: full, not permitted, too large
    │   ├── AlreadyStored    a message stands where none was expected; carries `seq`
    │   ├── Overtaken        somebody else wrote first; carries `expected`
    │   └── TooLarge         more bytes than can be kept or sent; carries `size`, `most` and `way_out`
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


class StoreRefused(BusError):
    """The broker refused to store a message; nothing was stored."""

    def __init__(self, subject: str, reason: str, *, retry: bool = False) -> None:
        super().__init__(f"not stored: {subject}: {reason}")
        self.subject = subject
        self.reason = reason
        self.retry = retry


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
