"""Tools are listed, and calls answered, only while they are the ones that a person approved."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from bus.serving import Answer, Incoming
from bus.wire import JsonObject, failure_result, response
from contracts.failure import Failure
from contracts.manifest import ToolSpec
from contracts.pin import Pin, drift, pin_file

log = logging.getLogger(__name__)

_NONE: JsonObject = {"resultType": "complete", "tools": [], "ttlMs": 0, "cacheScope": "private"}
"""The list of tools that models are to read while they read none."""


def read_pin(own_file: Path, server: str) -> Pin | None:
    """The pin of a server beside a person's own crew file; one that cannot be read approves nothing."""
    file = pin_file(own_file, server)
    try:
        return Pin.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as wrong:
        log.error("%s: %s", file, wrong)
        return None


class Approval:
    """What was approved of one server, and whether that is what it offers now."""

    def __init__(self, server: str, pin: Pin | None) -> None:
        self._server = server
        self._pin = pin
        self.refuses = "what its tools are is not known yet"
        """Why calls are refused; empty when they are answered."""

    def look(self, offered: Iterable[ToolSpec]) -> None:
        """Compare what is offered now."""
        if self._pin is None:
            self.refuses = "its tools were never approved"
        elif changes := drift(self._pin.tools, offered):
            self.refuses = f"its tools are not the ones that were approved: {'; '.join(changes)}"
        else:
            self.refuses = ""

    def guarding(self, answer: Answer) -> Answer:
        """`answer`, with every tool call refused while something was not approved; nor are tools listed to models."""

        async def guarded(incoming: Incoming) -> bytes:
            request_id, method = incoming.message.get("id"), incoming.message.get("method")
            if not self.refuses or method not in ("tools/call", "tools/list"):
                return await answer(incoming)
            if method == "tools/list":
                return response(request_id, _NONE)
            denied = Failure(
                kind="denied",
                message=f"{self._server} answers no calls: {self.refuses}",
                way_out=f"Look at them, then `podium agents approve {self._server}`.",
            )
            return response(request_id, failure_result(denied))

        return guarded
