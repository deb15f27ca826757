"""Ways to a structured reply: how it is asked for, how it is found in what came, and whether it fits its schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal, NoReturn, cast

from pydantic import JsonValue

from contracts.model import Turn, Way
from servers.specialist import ToolError

Schema = dict[str, JsonValue]

MAX_SHOWN = 20_000
"""Characters of a reply that are shown to its model again."""
MAX_COMPLAINTS = 5
"""Violations of its schema that are."""

SPARE_TOKENS = 500
"""What an endpoint adds of its own, such as words on tools."""

_BEGUN = re.compile(r'\{\s*["}]')

_ABOUT = {
    "schema": re.compile(r"output_config|output_format|json_schema|schema|structured"),
    "tool": re.compile("tool"),
}


@dataclass(frozen=True)
class Request:
    """One request for a structured reply."""

    system: str
    turns: tuple[Turn, ...]
    reply_name: str
    schema: Schema
    way: Way
    max_tokens: int

    @property
    def size(self) -> int:
        """Bytes of everything the model reads."""
        parts = [self.system, words(self.reply_name, self.schema), *(turn.text for turn in self.turns)]
        return sum(len(part.encode(errors="replace")) for part in parts)

    @property
    def most_tokens(self) -> int:
        """More than the model can count them as: text has three to four bytes a token, dense code two and a half.

        Writing systems that tokenizers know little of take up to a token for each byte.
        """
        parts = [self.system, words(self.reply_name, self.schema), *(turn.text for turn in self.turns)]
        plain = sum(len(part.encode("ascii", "ignore")) for part in parts)
        return -(-plain // 2) + self.size - plain + SPARE_TOKENS


@dataclass(frozen=True)
class Found:
    """What a reply turned out to be. malformed: it set out to be JSON. ignored: nothing in it did."""

    kind: Literal["fits", "violates", "malformed", "ignored"]
    value: Schema | None = None
    why: str = ""


def is_about(way: Way, status: int | None, message: str) -> bool:
    """Whether a refusal complains of the way the reply was asked for, so that another way may do."""
    return status in (400, 422) and way in _ABOUT and _ABOUT[way].search(message.lower()) is not None


def words(name: str, schema: Schema) -> str:
    """What asks for the reply where nothing but words does."""
    return (
        f"\n\nAnswer with one JSON object (`{name}`) and nothing else: no prose, no code fence. "
        f"It must fit this JSON Schema:\n{json.dumps(schema, ensure_ascii=False)}"
    )


def once_more(text: str, why: str, request: Request) -> tuple[Turn, Turn]:
    """The turns that show a model what was wrong with its reply.

    Whoever broke a schema that was sent apart from the words may never have been shown it: here it is in words.
    """
    schema = f" The JSON Schema: {json.dumps(request.schema, ensure_ascii=False)}" if request.way == "schema" else ""
    return (
        Turn(role="assistant", text=text[:MAX_SHOWN] or "(an empty reply)"),
        Turn(
            role="user",
            text=f"That is not the JSON object that was asked for: {why}. "
            f"Answer again, in full, with that put right.{schema}",
        ),
    )


def find(text: str, schema: Schema) -> Found:
    """The first JSON object in `text`, alone, fenced or among prose, held against `schema`.

    An object that is not complete is not searched for smaller ones: they would be something else than was meant.
    """
    if begun := _BEGUN.search(text):
        try:
            value, _ = _DECODER.raw_decode(text, begun.start())
            json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair cannot be stored
        except (ValueError, RecursionError) as error:
            return Found("malformed", why=f"it is no complete JSON object ({str(error)[:100]})")
        why = violation(value, schema)
        return Found("violates" if why else "fits", value, why)
    return Found("ignored", why="there is no JSON object in it")


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_number)


def violation(value: JsonValue, schema: Schema) -> str:
    """How `value` violates `schema` (JSON Schema 2020-12), in words; empty if it does not.

    Raises:
        ToolError: invalid, when `schema` is no JSON Schema.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError, ValidationError
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        Draft202012Validator.check_schema(schema)
        # A registry of its own, so that no `$ref` is ever fetched.
        validator = Draft202012Validator(schema, registry=Registry())
        errors = cast("Iterator[ValidationError]", validator.iter_errors(value))  # pyright: ignore[reportUnknownMemberType] - it ships no types
        return "; ".join(f"{each.json_path}: {each.message[:300]}" for each in islice(errors, MAX_COMPLAINTS))
    except (SchemaError, Unresolvable) as error:
        raise ToolError("invalid", f"reply_schema is no JSON Schema: {str(error)[:300]}") from error
