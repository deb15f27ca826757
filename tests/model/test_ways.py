"""Ways to a structured reply: what is sent, what is accepted, and when the next one is tried."""

from __future__ import annotations

import pytest

from bus.wire import JsonObject
from contracts.model import Turn
from servers.specialist import ToolError
from tests.model.rig import GOOD, SCHEMA, AskedCall, params, rig

ANSWER = {"reply": GOOD}
PROSE = {"text": "The answer is forty-two, I think."}


async def test_the_schema_goes_out_as_the_api_takes_it():
    async with rig([ANSWER]) as at:
        await at.complete()
    body = at.endpoint.requests[0].body
    sent = body["output_config"]["format"]
    assert sent["type"] == "json_schema"
    assert sent["schema"]["additionalProperties"] is False
    assert "minimum" not in sent["schema"]["properties"]["answer"], "the API takes no bounds"
    assert body["stream"] is True
    assert "temperature" not in body


async def test_a_bound_that_is_not_sent_is_checked_all_the_same():
    async with rig([{"reply": {"answer": 0}}, ANSWER]) as at:
        result = await at.complete()
    assert (result.reply, result.retries) == (GOOD, 1)
    assert "minimum" in at.endpoint.requests[1].text


async def test_a_temperature_is_sent_and_recorded():
    async with rig([ANSWER], temperature=0) as at:
        result = await at.complete()
    assert at.endpoint.requests[0].body["temperature"] == 0
    assert result.sampling == {"temperature": 0}


async def test_an_endpoint_that_ignores_the_schema_is_forced_to_call_a_tool_and_that_is_remembered():
    async with rig([PROSE, ANSWER, ANSWER]) as at:
        first, second = await at.complete(), await at.complete()
    assert at.ways == ["schema", "tool", "tool"]
    assert (first.outcome, first.way, first.retries, first.spent.requests) == ("ok", "tool", 1, 2)
    assert (second.outcome, second.way, second.retries, second.spent.requests) == ("ok", "tool", 0, 1)
    assert at.endpoint.requests[1].body["tool_choice"] == {"type": "tool", "name": "answer"}
    assert at.endpoint.requests[1].body["tools"][0]["input_schema"] == SCHEMA


async def test_a_way_that_was_ignored_is_not_tried_again_even_if_the_next_one_brought_nothing():
    async with rig([PROSE, {"text": "", "stop": "max_tokens"}, ANSWER]) as at:
        first, second = await at.complete(), await at.complete()
    assert at.ways == ["schema", "tool", "tool"]
    assert (first.outcome, second.outcome) == ("truncated", "ok")


async def test_an_endpoint_that_ignores_the_tool_too_is_asked_in_words():
    fenced = {"text": 'Here {you} are:\n```json\n{"answer": 42, "why": "so"}\n```\nAnything else?'}
    async with rig([PROSE, PROSE, fenced]) as at:
        result = await at.complete()
    assert at.ways == ["schema", "tool", "prompt"]
    assert (result.outcome, result.reply, result.way) == ("ok", GOOD, "prompt")
    assert [(each.way, each.text) for each in result.attempts] == [("schema", PROSE["text"]), ("tool", PROSE["text"])]
    assert '"minimum": 1' in at.endpoint.requests[2].text


async def test_words_get_one_more_chance_and_then_it_is_invalid():
    async with rig({"rules": [{"steps": [PROSE], "again": True}]}) as at:
        result = await at.complete()
    assert at.ways == ["schema", "tool", "prompt", "prompt"]
    assert (result.outcome, result.text, result.spent.requests) == ("invalid", PROSE["text"], 4)


@pytest.mark.parametrize(
    ("refusals", "way"),
    [
        ([{"status": 400, "error": "output_config: Extra inputs are not permitted"}], "tool"),
        (
            [
                {"status": 422, "error": "unknown field output_config"},
                {"status": 400, "error": "tool_choice forces tool use, which this model does not support"},
            ],
            "prompt",
        ),
    ],
)
async def test_an_endpoint_that_refuses_a_way_is_asked_in_the_next_one_for_free(
    refusals: list[dict[str, object]], way: str
):
    async with rig([*refusals, ANSWER]) as at:
        result = await at.complete()
    assert (result.outcome, result.way, result.spent.requests) == ("ok", way, 1)
    assert at.slept == []


async def test_a_400_about_something_else_ends_it():
    async with rig([{"status": 400, "error": "max_tokens: too large"}, ANSWER]) as at:
        with pytest.raises(ToolError, match="max_tokens: too large") as failed:
            await at.complete()
    assert (failed.value.failure.kind, len(at.endpoint.requests)) == ("invalid", 1)


async def test_configured_ways_count():
    async with rig([ANSWER], structured=("tool",)) as at:
        result = await at.complete()
    assert (at.ways, result.way, result.stop_reason) == (["tool"], "tool", "tool_use")


async def test_a_schema_that_cannot_be_sent_goes_as_a_tool():
    anything: JsonObject = {"type": "object", "properties": {"answer": {}}, "required": ["answer"]}
    async with rig([{"reply": {"answer": [1]}}]) as at:
        result = await at.complete(reply_schema=anything)
    assert (at.ways, result.outcome) == (["tool"], "ok")


async def test_the_inside_of_an_object_that_was_cut_short_is_no_reply():
    inner = {"type": "object", "properties": {"answer": {"type": "integer"}}}
    async with rig([{"text": '{"reply": {"answer": 42}'}, ANSWER]) as at:
        result = await at.complete(reply_schema=inner)
    assert (result.reply, result.retries) == (GOOD, 1)


async def test_numbers_and_characters_that_json_has_not_are_invalid():
    async with rig([{"text": '{"answer": NaN}'}, {"text": '{"answer": 1, "why": "\\ud800"}'}]) as at:
        result = await at.complete()
    assert result.outcome == "invalid"


async def test_what_is_no_schema_is_said_as_such():
    async with rig([ANSWER]) as at:
        with pytest.raises(ToolError, match="no JSON Schema"):
            await at.complete(reply_schema={"type": "object", "properties": {"answer": {"type": "whole"}}})


async def test_a_dialogue_goes_out_as_it_is():
    turns = (Turn(role="user", text="A?"), Turn(role="assistant", text="B."), Turn(role="user", text="C?"))
    async with rig([ANSWER]) as at:
        await at.complete(turns=turns)
    assert at.endpoint.requests[0].turns == [(turn.role, turn.text) for turn in turns]


@pytest.mark.parametrize("way", ["schema", "tool", "prompt"])
async def test_a_request_that_goes_on_with_a_conversation_begins_with_what_was_cached(way: str):
    """To the letter, whichever way the reply is asked for: else nothing is read from the cache."""
    async with rig([{"reply": {"answer": "many"}}, ANSWER], structured=(way,)) as at:
        await at.complete()
    first, again = (asked.blocks for asked in at.endpoint.requests)
    kept = 1 + max(place for place, (*_, cached) in enumerate(first) if cached)
    assert [text for _, text, _ in first[:kept]] == ["You answer.", "What is the answer?"]
    assert [block[:2] for block in again[:kept]] == [block[:2] for block in first[:kept]]
    assert sum(cached for *_, cached in again) <= 4, "the API takes no more marks"
    assert again[-1 if way != "prompt" else -2][2], "and so does the next one"


async def test_the_caller_is_told_how_far_the_reply_is():
    call = AskedCall()
    async with rig([ANSWER]) as at:
        await at.server.complete(params(), call)
    assert call.told[0][1] == 1000
    assert "scripted-1" in call.told[0][2]
