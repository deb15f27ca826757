"""What a scripted Messages server answers: steps, and rules that say which question gets which.

A script is JSON: a list of steps, or `{"rules": [{"name": …, "contains": …, "model": …, "steps": […]}, …]}`. The first
rule that fits a request and has a step left answers it with its next step; `"again": true` in a rule repeats its last
step for ever. `name` is the reply's name (`reply_name`), whichever way it is asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

Json = dict[str, Any]


class Step(BaseModel):
    """One answer. Without any of `reply`, `text`, `tool` and `raw`, an empty one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reply: Json | None = None
    """The reply, said in the way it was asked for: as a tool call where a tool is forced, else as JSON text."""
    text: str = ""
    """Plain text, whatever was asked for."""
    tool: Json | None = None
    """Arguments of a tool call, whatever was asked for."""
    raw: str | None = None
    """The stream's bytes, instead of events."""
    status: int = 200
    headers: dict[str, str] = {}
    error: str = "as the script says"
    """The error's message, where `status` is no success; `{key}` becomes the key that was sent."""
    stop: str | None = None
    """`stop_reason`; by default `tool_use` or `end_turn`. Empty: none is said."""
    usage: dict[str, int] | None = {"input_tokens": 100, "output_tokens": 20}
    """None: no usage is said."""
    break_after: int | None = None
    """The connection breaks off after so many events (`message_start` is the first)."""
    hang_after: int | None = None
    """Nothing more comes after so many events; the connection stays."""
    drip_s: float = 0
    """Seconds between two events."""
    fail_after: int | None = None
    """An `error` event (overloaded_error) comes after so many events."""
    chunk: int = 12
    """Characters of the reply in one event."""
    pad_bytes: int = 0
    """So many bytes of text more, in events of 64 kB."""


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    body: Json
    headers: Mapping[str, str]

    @property
    def way(self) -> str:
        """How the reply was asked for: `schema`, `tool` or `prompt`."""
        if self.body.get("tools"):
            return "tool"
        return "schema" if "output_config" in self.body else "prompt"

    @property
    def name(self) -> str:
        """The reply's name, as far as the request tells it."""
        match self.way:
            case "tool":
                return str(self.body["tools"][0]["name"])
            case "schema":
                return str(self.body["output_config"]["format"]["schema"].get("title", ""))
            case _:
                named = re.search(r"Answer with one JSON object \(`(\w+)`\)", self.text)
                return named.group(1) if named else ""

    @property
    def text(self) -> str:
        """Everything that was said to the model, system first."""
        return "\n".join(text for _, text, _ in self.blocks)

    @property
    def turns(self) -> list[tuple[str, str]]:
        """Who said what, turn by turn."""
        return [(turn["role"], "".join(text for text, _ in _texts(turn["content"]))) for turn in self.body["messages"]]

    @property
    def blocks(self) -> list[tuple[str, str, bool]]:
        """Everything that was said, block by block: by whom, what, and whether all up to its end is to be cached."""
        said = [("system", self.body.get("system", [])), *((t["role"], t["content"]) for t in self.body["messages"])]
        return [(who, text, cached) for who, content in said for text, cached in _texts(content)]

    @property
    def key(self) -> str:
        """The key that was sent."""
        return self.headers.get("x-api-key") or self.headers.get("authorization", "").removeprefix("Bearer ")

    def told(self) -> Json:
        """As the server tells it under `/_requests`."""
        return {"name": self.name, "way": self.way, "model": self.body["model"], "key": self.key, "body": self.body}


def _texts(content: str | list[Json]) -> list[tuple[str, bool]]:
    if isinstance(content, str):
        return [(content, False)]
    return [(str(block["text"]), "cache_control" in block) for block in content]


class Rule(BaseModel):
    """Which requests get which steps."""

    model_config = ConfigDict(extra="forbid")

    name: str = ""
    contains: str = ""
    model: str = ""
    steps: list[Step]
    again: bool = False

    def fits(self, asked: Asked) -> bool:
        """Whether `asked` is one of its requests, and it has a step left."""
        return (
            bool(self.steps)
            and self.name in ("", asked.name)
            and self.model in ("", asked.body["model"])
            and self.contains in asked.text
        )

    def next(self) -> Step:
        """The next step."""
        return self.steps[0] if self.again and len(self.steps) == 1 else self.steps.pop(0)


class Rules(BaseModel):
    """A script with rules."""

    model_config = ConfigDict(extra="forbid")

    rules: list[Rule]


_SCRIPT = TypeAdapter[Rules | list[Step]](Rules | list[Step])

Script = Callable[[Asked], Step]


def script_of(said: object) -> Script:
    """A script from its JSON, decoded."""
    read = _SCRIPT.validate_python(said)
    rules = read.rules if isinstance(read, Rules) else [Rule(steps=read)]

    def answer(asked: Asked) -> Step:
        for rule in rules:
            if rule.fits(asked):
                return rule.next()
        return Step(status=400, error=f"the script has no answer for {asked.name or 'this'}")

    return answer


@dataclass
class Events:
    """The server-sent events of one step."""

    step: Step
    asked: Asked
    _events: list[bytes] = field(default_factory=list[bytes])

    def all(self) -> list[bytes]:
        """Them, in order."""
        step = self.step
        tool = step.tool if step.tool is not None else step.reply if self.asked.way == "tool" else None
        text = step.text or ("" if step.reply is None or tool is not None else json.dumps(step.reply))
        start = None if step.usage is None else {**step.usage, "output_tokens": 1}
        message: Json = {"id": "m1", "type": "message", "role": "assistant", "content": [], "model": "scripted"}
        self._add("message_start", message=message | ({} if start is None else {"usage": start}))
        if tool is not None:
            block: Json = {"type": "tool_use", "id": "t1", "name": self.asked.name or "reply", "input": {}}
            self._block(block, "input_json_delta", "partial_json", json.dumps(tool))
        elif text or step.pad_bytes:
            self._block({"type": "text", "text": ""}, "text_delta", "text", text)
        stop = step.stop if step.stop is not None else "tool_use" if tool is not None else "end_turn"
        ending: Json = {"delta": {"stop_reason": stop or None, "stop_sequence": None}}
        self._add("message_delta", **ending, **({} if step.usage is None else {"usage": step.usage}))
        self._add("message_stop")
        return self._events

    def _block(self, block: Json, kind: str, name: str, text: str) -> None:
        self._add("content_block_start", index=0, content_block=block)
        size = self.step.chunk
        parts = [text[place : place + size] for place in range(0, len(text), size)]
        parts += ["x" * 65536] * (self.step.pad_bytes // 65536)
        for part in parts:
            self._add("content_block_delta", index=0, delta={"type": kind, name: part})
        self._add("content_block_stop", index=0)

    def _add(self, kind: str, **rest: Any) -> None:
        self._events.append(f"event: {kind}\ndata: {json.dumps({'type': kind, **rest})}\n\n".encode())
