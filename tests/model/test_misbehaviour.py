"""What happens when the endpoint misbehaves: a bounded number of requests, no spending lost, no key in any word."""

from __future__ import annotations

import json

import pytest

from contracts.model import CompleteResult
from servers.answering import Outcome
from servers.minds.trouble import retry_after
from servers.specialist import ToolError
from tests.model.messages_server import messages_server
from tests.model.rig import GOOD, KEY, Rig, rig

ANSWER = {"reply": GOOD}
BROKEN = {"reply": GOOD, "break_after": 4}
WRONG = {"reply": {"answer": "many"}}


def no_key(of: CompleteResult | ToolError) -> bool:
    """Whether the key is nowhere in what came."""
    said = of.failure.model_dump_json() + str(of) if isinstance(of, ToolError) else of.model_dump_json()
    return KEY not in said


async def fails(rig: Rig) -> ToolError:
    """What asking fails with, before anything was spent."""
    with pytest.raises(ToolError) as failed:
        await rig.complete()
    assert no_key(failed.value)
    return failed.value


async def test_a_good_answer_is_taken_with_what_it_cost():
    async with rig([ANSWER]) as at:
        result = await at.complete()
    assert (result.outcome, result.reply, result.way, result.retries) == ("ok", GOOD, "schema", 0)
    assert result.spent.requests == 1
    assert result.spent.usage.input_tokens == 100
    assert result.spent.usage.output_tokens == 20
    assert str(result.spent.cost_usd) == "0.0003"
    assert no_key(result)
    assert at.endpoint.requests[0].key == KEY


async def test_429_is_waited_for_as_long_as_it_asks():
    async with rig([{"status": 429, "headers": {"retry-after": "7"}}, ANSWER]) as at:
        result = await at.complete()
    assert (result.outcome, result.retries, result.spent.requests) == ("ok", 1, 1)
    assert result.attempts == (), "nothing came, and nothing was paid for"
    assert 7 <= at.slept[0] <= 8


async def test_an_endpoint_that_asks_to_wait_for_long_is_not_waited_for():
    async with rig([{"status": 429, "headers": {"retry-after": "3600"}}, ANSWER]) as at:
        failed = await fails(at)
    assert (failed.failure.kind, failed.failure.retry, len(at.endpoint.requests), at.slept) == (
        "unavailable",
        True,
        1,
        [],
    )


@pytest.mark.parametrize("status", [408, 409, 500, 503, 529])
async def test_a_busy_endpoint_is_asked_again_after_growing_waits_and_then_given_up(status: int):
    async with rig({"rules": [{"steps": [{"status": status}], "again": True}]}, max_retries=3) as at:
        failed = await fails(at)
    assert (failed.failure.kind, failed.failure.retry) == ("unavailable", True)
    assert str(status) in str(failed)
    assert len(at.endpoint.requests) == 4
    assert at.slept == [0.25, 0.5, 1.0]


async def test_a_stream_that_breaks_off_is_asked_for_again_and_paid_for():
    async with rig([BROKEN, ANSWER]) as at:
        result = await at.complete()
    assert (result.outcome, result.reply, result.retries) == ("ok", GOOD, 1)
    assert result.spent.requests == 2
    assert result.spent.usage.input_tokens == 200, "the broken one said what it read"
    assert result.spent.usage.output_tokens == 20 + 6, "two pieces of twelve characters came, four to a token"
    assert [(each.text, each.told) for each in result.attempts] == [(json.dumps(GOOD)[:24], "")]


async def test_streams_that_always_break_end_with_what_they_cost():
    async with rig({"rules": [{"steps": [BROKEN], "again": True}]}, max_retries=2) as at:
        result = await at.complete()
    assert result.outcome == "unavailable"
    assert result.failure is not None
    assert (result.failure.kind, result.failure.retry) == ("unavailable", True)
    assert (len(at.endpoint.requests), result.spent.requests, result.spent.usage.input_tokens) == (3, 3, 300)
    came = json.dumps(GOOD)[:24]
    assert (result.text, [each.text for each in result.attempts]) == (came, [came, came]), "all that was paid for"


async def test_an_error_in_the_middle_of_a_stream_counts_as_busy():
    async with rig([{"reply": GOOD, "fail_after": 3, "error": "overloaded, {key}"}, ANSWER]) as at:
        result = await at.complete()
    assert (result.outcome, result.retries, result.spent.requests) == ("ok", 1, 2)


async def test_json_that_is_cut_short_is_asked_for_once_more_and_then_invalid():
    async with rig({"rules": [{"steps": [{"text": '{"answer": 4'}], "again": True}]}) as at:
        result = await at.complete()
    assert (result.outcome, result.text, len(at.endpoint.requests)) == ("invalid", '{"answer": 4', 2)
    assert result.spent.requests == 2


async def test_a_refusal_is_not_asked_again():
    async with rig([{"text": "I would rather not.", "stop": "refusal"}]) as at:
        result = await at.complete()
    assert (result.outcome, result.stop_reason, len(at.endpoint.requests)) == ("refused", "refusal", 1)
    assert result.failure is not None
    assert result.spent.requests == 1


async def test_a_reply_that_max_tokens_ends_is_not_asked_again():
    async with rig([{"text": '{"answer": 4', "stop": "max_tokens"}]) as at:
        result = await at.complete()
    assert (result.outcome, result.stop_reason, len(at.endpoint.requests)) == ("truncated", "max_tokens", 1)
    assert result.failure is not None
    assert "1,000" in result.failure.message
    assert "max_tokens" in result.failure.way_out


@pytest.mark.parametrize("slow", [{"hang_after": 3}, {"drip_s": 0.1, "chunk": 1}])
async def test_a_stream_that_stops_or_drips_too_slowly_is_tried_twice_and_paid_for(slow: dict[str, float]):
    async with rig({"rules": [{"steps": [{"reply": GOOD, **slow}], "again": True}]}, timeout_s=0.5) as at:
        result = await at.complete()
    assert result.outcome == "unavailable"
    assert result.failure is not None
    assert "0.5 s" in result.failure.message
    assert (len(at.endpoint.requests), result.spent.requests, result.spent.usage.input_tokens) == (2, 2, 200)


async def test_an_endpoint_that_says_nothing_at_all_is_left_after_the_timeout():
    async with rig([{"reply": GOOD, "hang_after": 0}, ANSWER], timeout_s=0.5) as at:
        result = await at.complete()
    assert (result.outcome, result.retries, result.spent.requests) == ("ok", 1, 2)


async def test_a_reply_that_breaks_its_schema_is_asked_for_again_with_what_was_wrong():
    async with rig([WRONG, ANSWER]) as at:
        result = await at.complete()
    assert (result.outcome, result.reply, result.retries, result.spent.requests) == ("ok", GOOD, 1, 2)
    again = at.endpoint.requests[1].turns
    assert [role for role, _ in again] == ["user", "assistant", "user"]
    (_, said), (_, told) = again[1:]
    assert "many" in said
    assert "$.answer" in told
    (attempt,) = result.attempts
    assert (attempt.way, attempt.text, attempt.told) == ("schema", said, told)
    assert "$.answer" in attempt.why_not


async def test_a_reply_that_breaks_its_schema_twice_is_invalid():
    async with rig([WRONG, WRONG, ANSWER]) as at:
        result = await at.complete()
    assert (result.outcome, result.reply, len(at.endpoint.requests)) == ("invalid", None, 2)
    assert result.failure is not None
    assert "$.answer" in result.failure.message
    assert result.spent.requests == 2


@pytest.mark.parametrize("status", [401, 403])
async def test_a_denied_key_is_not_tried_again_and_not_told(status: int):
    async with rig([{"status": status, "error": "invalid key {key}"}]) as at:
        failed = await fails(at)
    assert (failed.failure.kind, failed.failure.retry, len(at.endpoint.requests)) == ("denied", False, 1)
    assert "[masked: endpoint key]" in str(failed)
    assert "SCRIPTED_KEY" in failed.failure.way_out


async def test_an_endpoint_that_repeats_the_key_in_its_reply_does_not_get_it_stored():
    wrong = {"reply": {"answer": KEY}}
    script = [{"reply": {"answer": 1, "why": KEY}}, {"text": f"{{{KEY}", "stop": "max_tokens"}, wrong, ANSWER]
    async with rig(script) as at:
        assert no_key(await at.complete())
        assert no_key(await at.complete())
        repaired = await at.complete()
    assert no_key(repaired)
    assert "[masked: endpoint key]" in repaired.attempts[0].text
    assert "[masked: endpoint key]" in repaired.attempts[0].told


async def test_a_model_that_is_not_there_is_said_with_a_way_out():
    async with rig([{"status": 404, "error": "model: scripted-1"}]) as at:
        failed = await fails(at)
    assert (failed.failure.kind, len(at.endpoint.requests)) == ("invalid", 1)
    assert "--model" in failed.failure.way_out


async def test_a_redirect_is_not_followed():
    async with messages_server([ANSWER]) as elsewhere:
        step = {"status": 307, "headers": {"location": f"{elsewhere.url}/v1/messages"}}
        async with rig([step]) as at:
            failed = await fails(at)
        assert elsewhere.requests == []
    assert failed.failure.kind == "invalid"
    assert "redirect" in str(failed)


async def test_an_answer_without_end_is_left():
    async with rig([{"text": "x", "pad_bytes": 30 << 20}, ANSWER]) as at:
        result = await at.complete()
    assert (result.outcome, len(at.endpoint.requests), result.spent.requests) == ("unavailable", 1, 1)
    assert result.failure is not None
    assert result.failure.kind == "limit"
    assert len(result.model_dump_json()) < 200_000


async def test_a_single_event_without_end_is_left():
    async with rig([{"raw": "event: message_start\ndata: " + "x" * (17 << 20)}]) as at:
        result = await at.complete()
    assert result.failure is not None
    assert (result.failure.kind, len(at.endpoint.requests)) == ("limit", 1)


@pytest.mark.parametrize(
    "raw", ["", "event: message_start\ndata: {]\n\n", "event: message_start\ndata: 7\n\n", "<html>"]
)
async def test_what_is_not_the_protocol_counts_as_a_broken_stream(raw: str):
    async with rig([{"raw": raw}, ANSWER]) as at:
        result = await at.complete()
    assert (result.outcome, result.retries, result.spent.requests) == ("ok", 1, 2)


async def test_an_endpoint_that_counts_nothing_is_estimated():
    async with rig([{"reply": GOOD, "usage": None}]) as at:
        result = await at.complete()
    assert result.outcome == "ok"
    assert result.spent.usage.input_tokens > 5
    assert result.spent.usage.output_tokens == 7, "27 characters"


async def test_half_a_surrogate_pair_in_an_error_is_an_answer_like_any_other() -> None:
    """It cannot be stored; the server says the rest."""
    async with rig([{"status": 400, "error": "bad \ud800 pair"}]) as found:
        with pytest.raises(ToolError, match="bad") as failed:
            await found.complete()
        assert Outcome.of_failure(failed.value.failure).structured.encode()


async def test_what_a_truncated_answer_with_half_a_pair_cost_is_kept() -> None:
    """Whatever it says, it was paid for."""
    async with rig([{"text": '{"answer": \ud800', "stop": "max_tokens"}]) as found:
        result = await found.complete()
        assert (result.outcome, result.spent.requests) == ("truncated", 1)
        assert result.model_dump_json().encode()


async def test_a_key_that_an_escape_hides_is_masked_in_the_reply() -> None:
    """It is looked for again once the JSON is read."""
    hidden = KEY.replace("s", "\\u0073", 1)
    async with rig([{"text": f'{{"answer": 1, "why": "{hidden}"}}'}]) as found:
        result = await found.complete()
        assert KEY not in result.model_dump_json()
        assert result.outcome == "ok"


def test_a_date_to_wait_for_is_taken_by_the_clock_of_who_names_it() -> None:
    """A clock of ours that is wrong by years makes nobody wait, nor ask too early."""
    headers = {"date": "Sun, 06 Nov 1994 08:49:37 GMT", "retry-after": "Sun, 06 Nov 1994 08:49:44 GMT"}
    assert retry_after(headers) == 7
