"""Asks the model for one tool call's work, and keeps account of what that costs, whatever becomes of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pydantic import ValidationError

from contracts.failure import Failure
from contracts.model import CompleteParams, CompleteResult, DescribeParams, DescribeResult, PromptName, Role, Turn
from contracts.spending import NOTHING, Spending
from servers.specialist import Call, Crew, ToolError
from servers.writing.locate import Mismatch
from servers.writing.prompts import part
from servers.writing.replies import Reply

R = TypeVar("R", bound=Reply)
T = TypeVar("T")

ROLE: Role = "writer"
CORRECTIONS = 2
"""Times a reply that cannot be used is sent back, within one conversation."""
MAX_TOKENS = 16_384


class NoReply(Exception):
    """No usable reply is to be had; says why."""


@dataclass
class Asker:
    """One call's way to the model. Once a budget has ended, or a defect shows, it asks for nothing more."""

    crew: Crew
    call: Call
    run: str
    spent: Spending = NOTHING
    asked: int = 0
    _ended: Failure | None = None

    async def describe(self) -> DescribeResult:
        """Which model writes.

        Raises:
            ToolError: what `model.describe` says.
        """
        params = DescribeParams(run=self.run, role=ROLE)
        return await self.crew.call("model.describe", params, DescribeResult, parent=self.call)

    async def ready(self) -> DescribeResult:
        """The same, for a model that can be asked.

        Raises:
            ToolError: unavailable, when it cannot; or what `model.describe` says.
        """
        model = await self.describe()
        if not model.ready:
            why = f"the model {model.model} was not asked: {model.why_not}"
            raise ToolError("unavailable", why, way_out=model.way_out)
        return model

    async def complete(
        self, prompt: PromptName, system: str, turns: tuple[Turn, ...], kind: type[R], reply_name: str
    ) -> R:
        """One reply.

        Raises:
            NoReply: there is none that fits; also once it asks for nothing more, which `settle` tells the caller.
        """
        if self._ended is not None:
            raise NoReply(str(self._ended))
        params = CompleteParams(
            run=self.run,
            role=ROLE,
            prompt=prompt,
            system=system,
            turns=turns,
            reply_name=reply_name,
            reply_schema=kind.model_json_schema(),
            max_tokens=MAX_TOKENS,
        )
        self.asked += 1
        try:
            result = await self.crew.call("model.complete", params, CompleteResult, parent=self.call)
        except ToolError as error:
            self.spent = self.spent.plus(error.failure.spent or NOTHING)
            self._note(error.failure)
            raise NoReply(str(error.failure)) from error
        self.spent = self.spent.plus(result.spent)
        if result.outcome != "ok" or result.reply is None:
            self._note(result.failure)
            said = str(result.failure) if result.failure else result.stop_reason
            raise NoReply(f"the model's reply was {result.outcome}: {said}".rstrip(": "))
        try:
            return kind.model_validate(result.reply)
        except ValidationError as error:
            raise NoReply(f"the model's reply is not what was asked for: {error}") from error

    def _note(self, failure: Failure | None) -> None:
        if failure is not None and failure.kind in ("budget", "internal"):
            self._ended = failure

    def settle(self) -> None:
        """Called when nothing is under way any more.

        Raises:
            ToolError: budget, when one ended the asking, or internal; it carries what was spent until then.
        """
        if self._ended is not None:
            ended = self._ended
            raise ToolError(ended.kind, ended.message, retry=ended.retry, way_out=ended.way_out, spent=self.spent)

    @contextmanager
    def accounting(self) -> Generator[None]:
        """Let every failure of another tool carry what the model has cost until then."""
        try:
            yield
        except ToolError as error:
            if not self.asked:
                raise
            error.failure = error.failure.model_copy(update={"spent": self.spent})
            raise


@dataclass
class Conversation(Generic[R]):
    """Question and answer about one change, with further turns where a reply cannot be used."""

    asker: Asker
    prompt: PromptName
    system: str
    reply: type[R]
    reply_name: str
    turns: list[Turn] = field(default_factory=list[Turn])
    corrections: int = CORRECTIONS

    def tell(self, text: str) -> None:
        """Add what the user's side says next."""
        self.turns.append(Turn(role="user", text=text))

    async def next(self, use: Callable[[R], T]) -> T:
        """What `use` makes of the next reply it can use; it raises `Mismatch` for one it cannot.

        Raises:
            NoReply: there is no reply, or none that can be used after all corrections.
        """
        while True:
            given = await self.asker.complete(self.prompt, self.system, tuple(self.turns), self.reply, self.reply_name)
            said = json.dumps(given.model_dump(mode="json"), ensure_ascii=False)
            self.turns.append(Turn(role="assistant", text=said))
            try:
                return use(given)
            except Mismatch as problem:
                if not self.corrections:
                    raise NoReply(f"its reply could not be used: {problem}") from problem
                self.corrections -= 1
                self.tell(part("again").fill(problem=str(problem)))
