"""A recorded run to tamper with: as anybody can who holds the file, or as those can who hold keys of the crew."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bus.bus import Stored
from bus.envelope import seal, sender
from bus.memory import MemoryBroker
from bus.nested import ACCOUNT_META, Account, account_of, nested_id
from bus.subjects import CallSubject, stream_of
from bus.wire import arguments_sha256, correlation_of, parse
from orchestrator.recording import Recording

STEP = "write-code/1/endpoint/write"
AGENT = "code_writer"
"""Who asks others in that step."""


@dataclass
class Copy:
    """The messages of a recording, sealed anew, so that everybody's key is at hand."""

    run: str
    version: str
    messages: list[Stored]
    house: MemoryBroker

    @classmethod
    def of(cls, recording: Recording) -> Copy:
        copy = cls(recording.run, recording.version, list(recording.messages), MemoryBroker())
        for kept in recording.messages:
            copy.sign(kept, kept.body)
        return copy

    @property
    def recording(self) -> Recording:
        roster = {name: identity.public for name, identity in self.house.identities.items()}
        return Recording(self.run, self.version, roster, tuple(self.messages))

    def call(self, tool: str, *, caller: str = AGENT, nth: int = 1) -> Stored:
        """The `nth` call of `server.tool` in the step."""
        start = f"call.{tool}.{caller}."
        calls = (kept for kept in self.messages if kept.subject.startswith(start))
        found = [kept for kept in calls if correlation_of(parse(kept.subject, kept.body)).step == STEP]
        return found[nth - 1]

    def answer(self, call: Stored) -> Stored:
        subject = CallSubject.parse(call.subject).result
        return next(kept for kept in self.messages if kept.subject == subject)

    def drop(self, *kept: Stored) -> None:
        for each in kept:
            self.messages.remove(each)

    def double(self, kept: Stored, stream: str = "") -> Stored:
        """Have it stand there twice, or in `stream` as well."""
        self.messages.append(replace(kept, stream=stream or kept.stream))
        return kept

    def alter(self, kept: Stored, body: bytes) -> Stored:
        """Put `body` in its place, under the seal that is there."""
        return self._put(kept, replace(kept, body=body))

    def sign(self, kept: Stored, body: bytes) -> Stored:
        """Put `body` in its place, and have it sealed by who had sealed it."""
        return self._put(kept, self._sealed(replace(kept, body=body), sender(kept.headers), self.house))

    def swap(self, how: Callable[[Stored, bytes], Stored], one: Stored, other: Stored) -> Stored:
        """Exchange two bodies; returns what stands in the first one's place."""
        how(other, one.body)
        return how(one, other.body)

    def add(self, subject: str, body: bytes, by: str = "") -> Stored:
        """One more message at the end of its stream: sealed by `by`, or in the agent's name with a key of nobody's."""
        stream = stream_of(subject)
        last = max((kept for kept in self.messages if kept.stream == stream), key=lambda kept: kept.seq)
        new = replace(last, seq=last.seq + 1, subject=subject, body=body)
        self.messages.append(self._sealed(new, by or AGENT, self.house if by else MemoryBroker()))
        return self.messages[-1]

    def ask_again(self, call: Stored, by: str = AGENT, **about: str) -> Stored:
        """A second call like `call`, with its answer, well sealed; `about` changes what it says it belongs to."""
        was, message = CallSubject.parse(call.subject), parse(call.subject, call.body)
        parent = about.get("parent", correlation_of(message).parent)
        digest = arguments_sha256(call.body)
        subject = CallSubject(was.server, was.tool, by, nested_id(parent, f"{was.server}.{was.tool}", digest, 2))
        body = call.body.replace(was.call_id.encode(), subject.call_id.encode())
        for key, value in about.items():
            said = message["params"]["_meta"][f"io.podium/{key}"]
            body = body.replace(f'"io.podium/{key}": "{said}"'.encode(), f'"io.podium/{key}": "{value}"'.encode())
        self.add(subject.result, self.answer(call).body, was.server)
        return self.add(str(subject), body, by)

    def account(self, change: Callable[[Account], Account]) -> Account:
        """Have the agent sign another account of what it asked."""
        answer = self.answer(self.call(f"{AGENT}.write", caller="orchestrator"))
        message: Any = parse(answer.subject, answer.body)
        before = account_of(message)
        assert before is not None
        after = change(before)
        message["result"]["_meta"][ACCOUNT_META] = after.model_dump(mode="json")
        self.sign(answer, json.dumps(message).encode())
        return after

    def _put(self, kept: Stored, new: Stored) -> Stored:
        self.messages[self.messages.index(kept)] = new
        return new

    def _sealed(self, kept: Stored, by: str, house: MemoryBroker) -> Stored:
        house.connect(by)
        return replace(kept, headers=seal(house.identities[by].signer(), kept.subject, kept.body))


def called(kept: Stored) -> str:
    """The id of the call that a message is, or answers."""
    return kept.subject.rpartition(".")[2]


def changed(kept: Stored, old: str, new: str) -> bytes:
    """A message's bytes with the first `old` in them made `new`."""
    assert old.encode() in kept.body, f"{old} is not in it"
    return kept.body.replace(old.encode(), new.encode(), 1)


def without(account: Account, call_id: str) -> Account:
    """An account that is silent about one call."""
    left = {each: told for each, told in account.answers.items() if each != call_id}
    return account.model_copy(update={"answers": left})
