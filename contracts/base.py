"""The model every contract derives from, and the few names they share."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints


class Model(BaseModel):
    """A frozen value; unknown fields are an error, so a misspelt one is never silently dropped."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def canonical(self) -> bytes:
        """The bytes a digest is taken over: JSON in field order, without insignificant white space."""
        return self.model_dump_json().encode()

    def digest(self) -> str:
        """sha256 of `canonical()`, lower-case hex."""
        return sha256(self.canonical())


RunId = Annotated[str, StringConstraints(pattern=r"^r-[a-z0-9]{4,32}$")]
"""A run's name: a single NATS token and a valid git branch component."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
"""A server's or identity's name: a single NATS token."""

CallId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""128 unguessable bits, hex."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

RelPath = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
"""A path inside the run's tree, with forward slashes; whoever touches the disk checks it again."""

UtcTime = AwareDatetime


def sha256(data: bytes) -> str:
    """sha256 of `data`, lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def utc_now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)
