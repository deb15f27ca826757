"""model: messages and a JSON schema in, a structured reply out, with what it cost. It alone holds keys."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from contracts.base import Model, Name, RunId, Sha256
from contracts.failure import Failure
from contracts.spending import Paid

Role = Literal["planner", "writer"]
"""What a model is asked as; which one that is, the run's task or `configs/models.toml` says, never the caller."""

Way = Literal["schema", "tool", "prompt"]
"""How a structured reply was had: `output_config.format`, a forced tool call, or asked for in words."""

Form = Literal["function", "blocks", "whole", "diff"]
"""How a model says a change of code: whole functions, search and replace blocks, the whole file, a unified diff."""


class PromptName(Model):
    """Which template a prompt was made from."""

    name: str
    sha256: Sha256 = Field(description="Of the template's text.")


class Turn(Model):
    """One message."""

    role: Literal["user", "assistant"]
    text: str


class CompleteParams(Model):
    """Ask a model for one structured reply."""

    run: RunId
    role: Role
    prompt: PromptName
    system: str = Field(description="What stays the same from call to call; it is cached where the endpoint can.")
    turns: tuple[Turn, ...] = Field(min_length=1, description="Beginning and ending with the user's.")
    reply_name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", description="Names the reply, as a tool is named.")
    reply_schema: dict[str, JsonValue] = Field(description="JSON Schema (2020-12) of the reply: an object.")
    max_tokens: int = Field(
        default=8192,
        ge=1,
        le=64_000,
        description="Output tokens at most; a model's configuration can say another number.",
    )


ReplyOutcome = Literal["ok", "invalid", "truncated", "refused", "unavailable"]
"""ok: `reply` fits the schema. invalid: it did not, twice. truncated: `max_tokens` ended it. refused: the model
declined. unavailable: the endpoint failed for good after something had been spent."""


class Attempt(Model):
    """A request that was paid for, and whose reply was not taken; another one followed."""

    way: Way
    text: str = Field(description="What came, as far as it came; 100,000 characters at most.")
    why_not: str
    told: str = Field(default="", description="What the model was told then, beside its reply; empty: nothing new.")


class CompleteResult(Paid):
    """The reply, or why there is none; either way what it cost."""

    run: RunId
    outcome: ReplyOutcome
    reply: dict[str, JsonValue] | None = None
    text: str = Field(default="", description="What came of the last request, as far as it came, if it is no `reply`.")
    attempts: tuple[Attempt, ...] = Field(default=(), description="The requests before the last one, in order.")
    failure: Failure | None = Field(default=None, description="For every outcome but ok.")
    endpoint: Name
    model: str = Field(description="As the endpoint names it.")
    way: Way
    stop_reason: str = Field(default="", description="As the endpoint says it.")
    sampling: dict[str, JsonValue] = Field(default={}, description="What was pinned; empty where the API allows none.")
    priced_at: str = Field(default="", description="Date of the price table; empty for a model that is not in it.")
    retries: int = Field(default=0, description="Requests beyond the first, for whatever reason; lost ones, too.")
    duration_s: float


class DescribeParams(Model):
    """Ask which model a role is."""

    run: RunId
    role: Role


class DescribeResult(Model):
    """The model behind a role."""

    endpoint: Name
    model: str
    ready: bool = Field(description="Whether its endpoint can be asked: a key is there, or none is needed.")
    why_not: str = Field(default="", description="What is missing.")
    way_out: str = Field(default="", description="What a person can do about that.")
    form: Form = Field(description="The form of change this model is best at, by configuration.")
    context_tokens: int = Field(default=100_000, description="What it reads and writes at once, by configuration.")
