"""What the broker refused, from what it writes to its log: nothing else tells what a client does that is not ours.

Everything in a line that a client chose is in quotes there, with quotes and line ends in it escaped; so no client can
have the broker say something of another.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Verb = Literal["publish", "subscribe", "connect", "send"]
"""connect: with a key that is nobody's. send: more bytes in one piece than anybody may."""

SUBJECT_CHARS = 128
"""As much as is told of a subject."""

_LONGEST_LOG_BYTES = 8 << 20
_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_LINE = re.compile(
    rf"\[\d+\] \S+ \S+ \[ERR\] \S+ - cid:\d+ - (?:{_QUOTED} - {_QUOTED} - )?"
    r"(?:(?P<what>Publish|Subscription) Violation - Subject "
    rf"{_QUOTED.replace('(', '(?P<subject>', 1)}"
    rf"|(?P<limit>maximum (?:payload|control line) exceeded)|authentication error - Nkey {_QUOTED})"
)
_VERBS: dict[str, Verb] = {"Publish": "publish", "Subscription": "subscribe"}


@dataclass(frozen=True)
class Refusal:
    """Something that the broker did not let an identity do."""

    key: str
    """The identity's public key."""
    verb: Verb
    subject: str
    """Where; as the broker quotes it, and its beginning where it is long. Of `send`: which limit."""


def refusal_in(line: str) -> Refusal | None:
    """The refusal that a line of the broker's log tells of, if it does."""
    if (found := _LINE.match(line)) is None:
        return None
    _, user, what, subject, limit, stranger = found.groups()
    if stranger is not None:
        return Refusal(stranger, "connect", "")
    key = (user or "").rpartition("nkey:")[2]
    if what is None:
        return Refusal(key, "send", limit)
    return Refusal(key, _VERBS[what], subject if len(subject) <= SUBJECT_CHARS else f"{subject[: SUBJECT_CHARS - 1]}…")


class BrokerLog:
    """Follows the log of a broker, and cuts it off when it is long: whoever provokes lines does not fill the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0
        self._rest = b""

    def begin(self) -> int:
        """An empty log, as a descriptor to write to; what is cut off later leaves no hole, since it only appends.

        Raises:
            OSError: it cannot be written.
        """
        self._at, self._rest = 0, b""
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)

    def text(self) -> str:
        """All of it."""
        return self._path.read_text(errors="replace")

    def refusals(self) -> Counter[Refusal]:
        """What was refused since this was last asked, and how often; less, where a flood came while it was cut off."""
        with suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek(self._at)
            data = file.read()
            self._at += len(data)
            *lines, self._rest = (self._rest + data).split(b"\n")
            if self._at > _LONGEST_LOG_BYTES:
                os.truncate(self._path, 0)
                self._at, self._rest = 0, b""
            return Counter(filter(None, (refusal_in(line.decode(errors="replace")) for line in lines)))
        return Counter()
