"""Subjects: what the broker needs to see to enforce who may say what. Pure.

::

    call.<server>.<tool>.<caller>.<call-id>      tools/call, stored
    result.<caller>.<server>.<call-id>           its answer, stored
    begun.<server>.<caller>.<call-id>            what became of earlier executions of it, stored
    rpc.<server>.<method…>.<caller>              every other request, not stored
    progress.<caller>.<server>.<call-id>         not stored
    cancel.<server>.<caller>.<call-id>           not stored
    changed.<server>                             what it has now, not stored
    run.<run-id>.<event>                         stored
    gate.<run-id>.<gate-id>.<request|decision>   stored
    refused.<host>.<server>.<tool>.<call-id>     what a host was not granted, stored
    denied.<identity>.<id>                       what the broker refused somebody, stored
    crew.<name>.<granted|pinned>                 what the operator took up, stored
    notary.checkpoint                            what the notary signs of the ledger, stored
    chunk.<subject>.<sha256>.<n>                 part of the body of the message on <subject>, stored
    deliver.…                                    where durable consumers deliver to

A name that is not a plain token is escaped byte by byte as `=XX`, so that no tool name can add a
token or a wildcard. Names have a limit, as a line longer than 4 KiB has the broker end the connection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, Self

from bus.errors import InvalidMessage
from contracts.ledger import NOTARY_STREAM, RUNS_STREAM, object_stream, server_stream

MAX_NAME_CHARS = 256
"""Of a tool, or of another method. A subject is below 4 KiB with every character of one escaped."""

_NOTED_CHARS = 64
_PLAIN = re.compile(rb"[A-Za-z0-9_-]")
_ALL_PLAIN = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_ESCAPE = re.compile(r"=([0-9A-F]{2})")


def token(text: str) -> str:
    """Escape `text` (not empty) into a single subject token.

    Raises:
        InvalidMessage: it is longer than any name is.
    """
    _check_length(text)
    if _ALL_PLAIN.fullmatch(text):
        return text
    if not text:
        raise ValueError("a subject token cannot be empty")
    return "".join(chr(b) if _PLAIN.match(bytes([b])) else f"={b:02X}" for b in text.encode())


def _check_length(name: str) -> None:
    if len(name) > MAX_NAME_CHARS:
        raise InvalidMessage(_noted(name), f"a name has at most {MAX_NAME_CHARS} characters")


def _noted(name: str) -> str:
    """As much of a name as is told of it where it may be anything."""
    return name if len(name) <= _NOTED_CHARS else f"{name[: _NOTED_CHARS - 1]}…"


def untoken(escaped: str) -> str:
    """The text that `token` escaped.

    Raises:
        ValueError: it is not the canonical escape of any text.
    """
    if _ALL_PLAIN.fullmatch(escaped):
        return escaped
    raw = _ESCAPE.sub(lambda hit: chr(int(hit[1], 16)), escaped).encode("latin-1")
    text = raw.decode()
    if token(text) != escaped:
        raise ValueError(f"not a canonical subject token: {escaped!r}")
    return text


@dataclass(frozen=True)
class CallSubject:
    """One call; its result, progress and cancellation are addressed from it."""

    server: str
    tool: str
    caller: str
    call_id: str

    def __str__(self) -> str:
        return f"call.{self.server}.{token(self.tool)}.{self.caller}.{self.call_id}"

    @property
    def result(self) -> str:
        """Where the answer is stored."""
        return f"result.{self.caller}.{self.server}.{self.call_id}"

    @property
    def begun(self) -> str:
        """Where it is kept what became of earlier executions; see `bus.lives`."""
        return f"begun.{self.server}.{self.caller}.{self.call_id}"

    @property
    def progress(self) -> str:
        """Where progress is published."""
        return f"progress.{self.caller}.{self.server}.{self.call_id}"

    @property
    def cancel(self) -> str:
        """Where the caller says it no longer wants it."""
        return f"cancel.{self.server}.{self.caller}.{self.call_id}"

    @classmethod
    def parse(cls, subject: str) -> Self:
        """Read a `call.…` subject.

        Raises:
            InvalidMessage: it is not one.
        """
        parts = subject.split(".")
        if len(parts) != 5 or parts[0] != "call" or not all(parts):
            raise InvalidMessage(subject, "not a call subject")
        try:
            return cls(parts[1], untoken(parts[2]), parts[3], parts[4])
        except ValueError as wrong:
            raise InvalidMessage(subject, str(wrong)) from None


def rpc(server: str, method: str, caller: str) -> str:
    """Subject of a request that acts on nothing: `tools/list` becomes `rpc.<server>.tools.list.<caller>`.

    Raises:
        InvalidMessage: no method has such a long name.
    """
    _check_length(method)
    return ".".join(["rpc", server, *(token(part) for part in method.split("/")), caller])


def parse_rpc(subject: str) -> tuple[str, str, str]:
    """(server, method, caller) of an `rpc.…` subject.

    Raises:
        InvalidMessage: it is not one.
    """
    parts = subject.split(".")
    if len(parts) < 4 or parts[0] != "rpc" or not all(parts):
        raise InvalidMessage(subject, "not an rpc subject")
    try:
        return parts[1], "/".join(untoken(part) for part in parts[2:-1]), parts[-1]
    except ValueError as wrong:
        raise InvalidMessage(subject, str(wrong)) from None


def changed(server: str) -> str:
    """Subject on which a server says that its tools, prompts or resources changed."""
    return f"changed.{server}"


def run_event(run: str, event: str) -> str:
    """Subject of one kind of event of a run."""
    return f"run.{run}.{token(event)}"


def gate(run: str, gate_id: str, part: str) -> str:
    """Subject of a gate's `request` or `decision`."""
    return f"gate.{run}.{token(gate_id)}.{part}"


def refused(host: str, server: str, tool: str, call_id: str) -> str:
    """Subject of the note that a host asked for a tool it was not granted; long names are cut."""
    return f"refused.{host}.{token(_noted(server))}.{token(_noted(tool))}.{call_id}"


def denied(identity: str, note: str) -> str:
    """Subject of the operator's note of what the broker refused somebody."""
    return f"denied.{token(identity)}.{note}"


def crew_note(name: str, what: Literal["granted", "pinned"]) -> str:
    """Subject on which the operator notes what somebody is granted, or whose tools are pinned."""
    return f"crew.{name}.{what}"


def chunk(subject: str, sha256: str, n: int | str) -> str:
    """Subject of the chunk `n` (from 0) of a body that the message on `subject` names by its sha256."""
    return f"chunk.{subject}.{sha256}.{n}"


def deliver_calls(server: str) -> str:
    """Where a server's durable consumer delivers calls."""
    return f"deliver.call.{server}"


def deliver_results(caller: str, server: str) -> str:
    """Where a caller's durable consumer delivers one server's results."""
    return f"deliver.result.{caller}.{server}"


def stream_of(subject: str) -> str:
    """The stream that keeps `subject`.

    Raises:
        ValueError: no stream does.
    """
    parts = subject.split(".")
    match parts[0]:
        case "call" | "begun":
            return server_stream(parts[1])
        case "result":
            return server_stream(parts[2])
        case "run" | "gate" | "refused" | "denied" | "crew":
            return RUNS_STREAM
        case "notary":
            return NOTARY_STREAM
        case "chunk":
            return object_stream(stream_of(subject.removeprefix("chunk.")))
        case "$KV":
            return f"KV_{parts[1]}"
        case _:
            raise ValueError(f"nothing keeps {subject!r}")


def matches(pattern: str, subject: str) -> bool:
    """Whether `subject` matches `pattern` with NATS wildcards (`*` one token, `>` one or more at the end)."""
    wanted, given = pattern.split("."), subject.split(".")
    for position, piece in enumerate(wanted):
        if piece == ">":
            return position < len(given)
        if position >= len(given) or piece not in ("*", given[position]):
            return False
    return len(wanted) == len(given)
