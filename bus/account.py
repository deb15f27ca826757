"""The account that a broker keeps for one crew: who is in it, and by which subjects it is governed.

A broker publishes what it answers wherever a request's reply subject says, and does not ask whether who sent the
request may publish there. So whoever may read a single message of their own can have those bytes said on any subject
of the account. What is kept carries a seal, so that it does not matter who says it; but JetStream's API does not ask
who speaks, and an empty message on the right subject unmakes a stream. Therefore that API, and the keys that only the
operator sets, have subjects with a secret in them, which the operator and the broker know. Under the names that
everybody knows, it answers questions only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bus.grants import OPERATOR, Grant, Permissions, permissions
from bus.identity import Identity
from bus.whole_file import put
from contracts.ledger import GRANTS_BUCKET, ROSTER_BUCKET

ACCOUNT = "PODIUM"
"""Where a crew is whose environment has no name."""

ACCOUNT_FILE = "account.json"
"""What is in the account, beside a store: apart from the rest of a broker's configuration, which holds no secret."""

JETSTREAM = "$JS.API"
"""Begins the subjects of JetStream's API, as everybody knows them."""

GOVERNED = (ROSTER_BUCKET, GRANTS_BUCKET)
"""The buckets that only the operator writes."""

_SYSTEM = "$SYS"
"""NATS' own name for it: under another, a cluster would forget which streams there are."""
_NOBODY = "$PODIUM.NOBODY.>"
_QUESTIONS = ("STREAM.NAMES", "STREAM.INFO.*", "STREAM.MSG.GET.*")
"""What may be asked under the names that everybody knows, by who has the right to."""


def control_of(operator: Identity) -> str:
    """Begins the subjects by which the account of this operator's crew is governed: 128 bits that nobody can guess."""
    return f"$PODIUM.{operator.derived('control')}"


def api_of(control: str) -> str:
    """Begins the subjects of JetStream's API for who knows `control`, or for who does not (empty)."""
    return f"{control}.API" if control else JETSTREAM


def inlet(control: str, bucket: str) -> str:
    """Begins the subjects on which keys of `bucket` are set; `control` is empty where that is not known."""
    return f"{control}.KV.{bucket}" if control and bucket in GOVERNED else f"$KV.{bucket}"


@dataclass(frozen=True)
class BrokerUser:
    """An identity as the broker knows it."""

    public: str
    permissions: Permissions


@dataclass(frozen=True)
class BrokerAccount:
    """A crew as the broker knows it."""

    users: Mapping[str, BrokerUser]
    control: str
    """See `control_of`."""

    @classmethod
    def of(cls, grants: Iterable[Grant], identities: Mapping[str, Identity]) -> BrokerAccount:
        """Everybody with what they were granted; the operator, whose key governs it, is one of them."""
        users = {one.name: BrokerUser(identities[one.name].public, permissions(one)) for one in grants}
        return cls(users, control_of(identities[OPERATOR]))

    def configuration(self) -> dict[str, object]:
        """What a NATS configuration with this account alone says of accounts; the system's has no users."""
        exports = [{"service": f"{JETSTREAM}.>"}, {"service": _NOBODY}]
        return {"system_account": _SYSTEM, "accounts": {_SYSTEM: {"exports": exports}, **self.entry(ACCOUNT)}}

    def write(self, file: Path) -> None:
        """Put the configuration into `file`, which that of a broker includes.

        Raises:
            OSError: it cannot be written.
        """
        put(file, json.dumps(self.configuration(), indent=1).encode())

    def entry(self, name: str) -> dict[str, object]:
        """The account under its name, as it goes into the `accounts` of a NATS configuration."""
        return {name: {"jetstream": "enabled", "users": self._users(), "imports": self._imports()}}

    def _users(self) -> list[dict[str, object]]:
        """Each with its permissions; nothing for anybody else.

        Answers to requests may be published once, within a minute (`allow_responses`). A key is good for plain
        connections only, whatever else the server offers: no leaf node, web socket or MQTT session.
        """
        return [
            {
                "nkey": user.public,
                "allowed_connection_types": ["STANDARD"],
                "permissions": {
                    "publish": {"allow": list(user.permissions.publish)},
                    "subscribe": {"allow": list(user.permissions.subscribe)},
                    "allow_responses": {"max": 1, "expires": "1m"},
                },
            }
            for _, user in sorted(self.users.items())
        ]

    def _imports(self) -> tuple[Mapping[str, object], ...]:
        """JetStream's API, which NATS would otherwise put into every account as a whole, under its known names."""
        whole = f"{JETSTREAM}.>"
        kept_off = {"service": {"account": _SYSTEM, "subject": _NOBODY}, "to": whole}
        governed = {"service": {"account": _SYSTEM, "subject": whole}, "to": f"{api_of(self.control)}.>", "share": True}
        questions = (
            {"service": {"account": _SYSTEM, "subject": f"{JETSTREAM}.{question}"}, "share": True}
            for question in _QUESTIONS
        )
        return (kept_off, governed, *questions)
