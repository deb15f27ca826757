"""What an endpoint said in answer to one request, as far as it came.

Endpoints that speak the Messages API more or less differ in what they leave out, so every field is taken as something
that may be missing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from contracts.spending import Usage

MOST_TOKENS = 10**9
"""More than any request has; whoever says more is believed this much."""
CHARS_PER_TOKEN = 4
"""For an estimate of what was not counted."""


class TooMuch(Exception):
    """More came than can have been asked for."""


@dataclass
class Heard:
    """The stream of one reply, taken event by event."""

    prompt_bytes: int
    most_chars: int
    """Characters after which an endpoint does not keep to `max_tokens`, and is not listened to any more."""
    taken_up: bool = False
    """Whether the endpoint may have worked on it: then it counts as a request, whatever came of it."""
    stop_reason: str = ""
    ended: bool = False
    _chars: int = 0
    _text: list[str] = field(default_factory=list[str])
    _tools: list[tuple[str, list[str]]] = field(default_factory=list[tuple[str, list[str]]])
    _begun: bool = False
    _told: dict[str, int] = field(default_factory=dict[str, int])
    _final: bool = False

    def take(self, event: object) -> None:
        """One event of the stream, as the client decoded it.

        Raises:
            TooMuch: more came than can have been asked for.
        """
        match getattr(event, "type", None):
            case "message_start":
                self._begun = True
                self._count(getattr(getattr(event, "message", None), "usage", None))
            case "content_block_start":
                self._block(getattr(event, "content_block", None))
            case "content_block_delta":
                self._delta(getattr(event, "delta", None))
            case "message_delta":
                self._count(getattr(event, "usage", None))
                self._final = _number(getattr(event, "usage", None), "output_tokens") is not None
                self.stop_reason = _text(getattr(event, "delta", None), "stop_reason") or self.stop_reason
            case "message_stop":
                self.ended = True
            case _:
                pass
        if self._chars > self.most_chars:
            raise TooMuch(f"its reply is longer than {self.most_chars:,} characters, more than was asked for")

    def _block(self, block: object) -> None:
        if getattr(block, "type", None) == "tool_use":
            given = getattr(block, "input", None)
            self._tools.append((_text(block, "name"), [json.dumps(given)] if given else []))
        else:
            self._say(_text(block, "text"))

    def _delta(self, delta: object) -> None:
        self._say(_text(delta, "text"))
        self._chars += len(_text(delta, "thinking"))
        if (part := _text(delta, "partial_json")) and self._tools:
            self._chars += len(part)
            self._tools[-1][1].append(part)

    def _say(self, text: str) -> None:
        if text:
            self._chars += len(text)
            self._text.append(text)

    def _count(self, usage: object) -> None:
        """Counts are totals up to then, and some endpoints say 0 for what they said before."""
        for name in ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"):
            if (number := _number(usage, name)) is not None:
                self._told[name] = max(self._told.get(name, 0), number)

    @property
    def output_estimate(self) -> int:
        """Tokens of output so far, by characters."""
        return -(-self._chars // CHARS_PER_TOKEN)

    @property
    def usage(self) -> Usage:
        """Tokens as the endpoint told them; by characters where a reply came without."""
        said, estimate = self._told.get("output_tokens", 0), self.output_estimate
        read, written = (self._told.get(f"cache_{kind}_input_tokens", 0) for kind in ("read", "creation"))
        # An endpoint that says 0 for a prompt, or for text that came, has not counted.
        taken = self._told.get("input_tokens", 0) or (0 if read or written else self.prompt_bytes // CHARS_PER_TOKEN)
        return Usage(
            input_tokens=taken,
            output_tokens=(said or estimate) if self._final else max(said, estimate),
            cache_read_tokens=read,
            cache_write_tokens=written,
        )

    def reply(self, tool: str) -> str:
        """The text that should be the reply: the arguments of a call of `tool`, else what was said."""
        calls = ["".join(parts) for name, parts in self._tools if name == tool or len(self._tools) == 1]
        return calls[0] if calls else "".join(self._text)


def _text(of: object, name: str) -> str:
    found = getattr(of, name, None)
    return found.encode("utf-8", "replace").decode() if isinstance(found, str) else ""  # half a pair cannot be stored


def _number(of: object, name: str) -> int | None:
    found = getattr(of, name, None)
    if not isinstance(found, int) or isinstance(found, bool) or found < 0:
        return None
    return min(found, MOST_TOKENS)
