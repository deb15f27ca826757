"""Calls that an agent makes on behalf of a call it answers: their ids, and the account its answer gives of them. Pure.

An id is derived from what is asked, so a redelivered call finds the answers of its own earlier calls, and whoever reads
the ledger can derive it again. The account stands in the answer's `_meta`, so the agent signs it: which calls it made,
and the digest of the answer it got to each. Taking one of them out of the ledger, or changing it, does not go unseen.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationError

from bus.wire import JsonObject, as_object, failure_of
from contracts.base import CallId, Model, Sha256, sha256

ACCOUNT_META = "io.podium/asked"


class Account(Model):
    """What an agent says it asked on behalf of one call."""

    attempt: int = Field(
        default=1, ge=1, description="Delivery that led to the answer; before a later one, others may have asked, too."
    )
    answers: dict[CallId, Sha256 | Literal[""]] = Field(
        default_factory=dict[str, str], description="By call, the sha256 of its answer's bytes; empty: it got none."
    )

    def meta(self) -> JsonObject:
        """The `_meta` entry; none where there is nothing to say."""
        return {} if self == Account() else {ACCOUNT_META: self.model_dump(mode="json")}


def nested_id(parent: str, tool: str, params_sha256: str, nth: int) -> str:
    """The id of the `nth` call (from 1) of `server.tool` with these parameters on behalf of the call `parent`.

    As hard to guess as the parent's.
    """
    return sha256(f"{parent}/{tool}/{params_sha256}/{nth}".encode())[:32]


def account_of(answer: JsonObject) -> Account | None:
    """The account a response gives; None for a failure without one, which says nothing of what was asked before it."""
    said = as_object(as_object(answer.get("result")).get("_meta")).get(ACCOUNT_META)
    try:
        return Account.model_validate(said)
    except ValidationError:
        return None if failure_of(answer) else Account()
