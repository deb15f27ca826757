"""Telling whether two processes have the same keys without either saying one."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping

from contracts.base import Model, Sha256


class KeyMarks(Model):
    """Digests of the keys and addresses a house was given, by name.

    They are keyed by a salt of that house's own, so that they tell those who have a value whether it is the same, and
    are of no use beside another house's. Whoever has the salt, too, could try guesses: it is told through the house's
    door only, which its owner alone can open.
    """

    salt: str
    digests: dict[str, Sha256]

    @classmethod
    def of(cls, values: Mapping[str, str]) -> KeyMarks:
        """Marks of `values`, with a new salt."""
        salt = secrets.token_hex(32)
        return cls(salt=salt, digests={name: _digest(salt, name, value) for name, value in values.items()})

    def differing(self, values: Mapping[str, str]) -> tuple[str, ...]:
        """The names among `values` whose value is another here, or is not here at all; sorted."""
        return tuple(
            sorted(
                name
                for name, value in values.items()
                if not hmac.compare_digest(self.digests.get(name, ""), _digest(self.salt, name, value))
            )
        )


def _digest(salt: str, name: str, value: str) -> str:
    return hmac.new(bytes.fromhex(salt), f"{name}={value}".encode(errors="surrogateescape"), hashlib.sha256).hexdigest()
