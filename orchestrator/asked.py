"""What models were asked in a run, and what they answered: read from the ledger."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from bus.wire import as_object, correlation_of, failure_of
from contracts.base import CallId, Model, Name, UtcTime
from contracts.failure import Failure
from contracts.model import CompleteParams, CompleteResult
from orchestrator.exchanges import Exchange


class Asked(Model):
    """One question to a model. Without a result or a failure, no answer is stored yet."""

    call_id: CallId
    caller: Name
    step: str
    asked_at: UtcTime
    params: CompleteParams
    result: CompleteResult | None = None
    failure: Failure | None = None


def asked(exchanges: Iterable[Exchange], run: str) -> tuple[tuple[Asked, ...], int]:
    """A run's questions to models, in order; and how many there are that this version of Podium cannot read."""
    found: list[Asked] = []
    unread = 0
    for each in exchanges:
        subject, about = each.subject, correlation_of(each.request)
        if (subject.server, subject.tool, about.run) != ("model", "complete", run) or not each.sealed:
            continue
        failure, structured = failure_of(each.answer), as_object(each.answer.get("result")).get("structuredContent")
        try:
            found.append(
                Asked(
                    call_id=subject.call_id,
                    caller=subject.caller,
                    step=about.step,
                    asked_at=each.call.stored_at,
                    params=CompleteParams.model_validate(as_object(each.request.get("params")).get("arguments")),
                    result=None if failure or each.result is None else CompleteResult.model_validate(structured),
                    failure=failure,
                )
            )
        except ValidationError:
            unread += 1
    return tuple(found), unread
