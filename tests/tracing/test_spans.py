"""A run's spans, worked out from recordings of real runs."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from contracts.run import GateDecidedEvent, RunResumedEvent, StepFinishedEvent
from contracts.trace import Span, span_id, trace_in, trace_of_run, traceparent
from orchestrator.recording import Contents, opened
from orchestrator.recording_file import load
from orchestrator.spans import spans_of
from orchestrator.state import fold

RECORDINGS = Path(__file__).parent.parent / "replay"


async def contents_of(name: str) -> Contents:
    return await opened(load(RECORDINGS / f"{name}.jsonl"))


def one(spans: tuple[Span, ...], name: str) -> Span:
    found = [span for span in spans if span.name == name]
    assert len(found) == 1, [span.name for span in spans]
    return found[0]


@pytest.mark.parametrize("name", ["fix-bug", "add-endpoint"])
async def test_a_run_is_one_trace_of_all_its_processes(name: str) -> None:
    """Every span hangs below the run's and lies within what it hangs below; each call is there from both sides."""
    contents = await contents_of(name)
    spans = spans_of(contents)
    run, by_id = contents.events[0].run, {span.span_id: span for span in spans}

    assert len(by_id) == len(spans)
    assert {span.trace_id for span in spans} == {trace_of_run(run)} == {fold(contents.events).trace_id}
    assert [span.span_id for span in spans if span.parent_id is None] == [span_id("run", run)]
    for span in spans:
        if span.parent_id is not None:
            above = by_id[span.parent_id]
            # Steps are timed by the orchestrator, calls by the broker, which has had this one a moment later.
            assert above.started_at <= span.started_at, span.name
            assert span.ended_at <= above.ended_at + timedelta(milliseconds=50), span.name
    sides = Counter((span.name, span.kind) for span in spans if span.name.startswith("tools/call"))
    assert sum(n for (_, kind), n in sides.items() if kind == "server") == len(contents.exchanges)
    assert all(sides[name, "client"] == sides[name, "server"] for name, _ in sides)
    assert {span.service for span in spans} >= {"orchestrator", "workspace", "test_runner", "code_writer"}


async def test_a_call_of_an_agents_own_hangs_below_the_call_that_it_answers() -> None:
    """The writer's question to a model, down to what it cost, in the words of the conventions."""
    spans = spans_of(await contents_of("add-endpoint"))
    by_id = {span.span_id: span for span in spans}

    chat = next(span for span in spans if span.name.startswith("chat ") and span.attributes["podium.prompt"] == "plan")
    assert (chat.kind, chat.service) == ("client", "model")
    assert chat.attributes["gen_ai.operation.name"] == "chat"
    assert chat.attributes["gen_ai.request.model"] == "claude-opus-5-5"
    assert int(str(chat.attributes["gen_ai.usage.input_tokens"])) > 0

    written = next(span for span in spans if span.name == "tools/call write" and span.kind == "server")
    nested = [span for span in spans if span.parent_id == written.span_id]
    assert {span.service for span in nested} == {written.service}
    assert all(span.kind == "client" for span in nested)
    asking = by_id[str(written.parent_id)]
    assert (asking.service, asking.attributes["mcp.method.name"]) == ("orchestrator", "tools/call")
    assert asking.attributes["gen_ai.tool.name"] == "write"
    assert by_id[str(asking.parent_id)].name == "step write-tests"


async def test_tokens_of_the_cache_are_among_those_that_went_in() -> None:
    """As the convention counts them; the Messages API counts them apart."""
    contents = await contents_of("add-endpoint")
    call = next(each for each in contents.exchanges if each.subject.tool == "complete")
    assert call.result is not None
    answer = json.loads(call.result.body)
    usage = {"input_tokens": 1, "output_tokens": 20, "cache_read_tokens": 300, "cache_write_tokens": 4000}
    answer["result"]["structuredContent"]["spent"]["usage"] = usage
    call = replace(call, result=replace(call.result, body=json.dumps(answer).encode()))
    spans = spans_of(replace(contents, exchanges=(call,)))
    told = next(span for span in spans if span.name.startswith("chat ")).attributes
    found = [told[f"gen_ai.usage.{name}"] for name in ("input_tokens", "output_tokens", "cache_read.input_tokens")]
    assert found == [4301, 20, 300]


async def test_a_call_that_failed_says_so_without_its_words() -> None:
    """What a failure says may quote a file; its kind does not."""
    contents = await contents_of("add-endpoint")
    failed = [span for span in spans_of(contents) if span.error]
    assert {span.error for span in failed} == {"tool_error"}
    assert {span.attributes["podium.failure.kind"] for span in failed} == {"not_found"}
    assert max(len(str(value)) for span in failed for value in span.attributes.values()) <= len("0" * 32)


async def test_a_person_who_is_waited_for_is_a_span_of_its_own() -> None:
    """From the question to the decision, whatever else went on; so it can be taken off the run's time."""
    contents = await contents_of("fix-bug")
    night = timedelta(hours=9)
    at = next(n for n, event in enumerate(contents.events) if isinstance(event.what, GateDecidedEvent))
    later = tuple(event.model_copy(update={"at": event.at + night}) for event in contents.events[at:])
    spans = spans_of(replace(contents, events=(*contents.events[:at], *later)))
    gate = one(spans, "gate plan")
    assert gate.ended_at - gate.started_at >= night
    assert gate.attributes["podium.gate.verdict"] == "approve"


async def test_a_run_that_goes_on_shows_what_is_over() -> None:
    """And the same spans again, with the rest, once it has ended; being resumed is a moment of the run's."""
    contents = await contents_of("fix-bug")
    whole = spans_of(contents)
    cut = next(n for n, event in enumerate(contents.events) if isinstance(event.what, StepFinishedEvent)) + 1
    first = contents.events[cut - 1]
    resumed = first.model_copy(update={"n": cut + 1, "what": RunResumedEvent(by="host:1")})
    so_far = spans_of(replace(contents, events=(*contents.events[:cut], resumed), exchanges=contents.exchanges[:1]))
    assert {span.span_id for span in so_far} < {span.span_id for span in whole}
    assert not any(span.parent_id is None for span in so_far)

    again = spans_of(replace(contents, events=(*contents.events[:cut], resumed, *contents.events[cut:])))
    assert [span.span_id for span in again] == [span.span_id for span in whole]
    assert [moment.name for span in again for moment in span.moments] == ["resumed"]


async def test_what_was_under_way_when_a_run_ended_has_ended_then() -> None:
    """A step that did not finish, a call that nobody answered: failed, at the run's end."""
    contents = await contents_of("fix-bug")
    left = next(event.what for event in contents.events if isinstance(event.what, StepFinishedEvent))
    events = tuple(event for event in contents.events if event.what != left)
    first, *others = contents.exchanges
    spans = spans_of(replace(contents, events=events, exchanges=(replace(first, result=None), *others)))

    ended = next(span.ended_at for span in spans if span.parent_id is None)
    unfinished = [span for span in spans if span.error == "unfinished"]
    assert {span.kind for span in unfinished} == {"internal", "client"}
    assert {span.ended_at for span in unfinished} == {ended}


def test_a_traceparent_names_its_trace_and_nothing_else_does() -> None:
    """W3C Trace Context, version 00; and what later versions may add."""
    said = traceparent(trace_of_run("r-aaaa"), "0" * 32)
    assert said == f"00-{trace_of_run('r-aaaa')}-{span_id('call', '0' * 32)}-01"
    assert trace_in(said) == trace_of_run("r-aaaa")
    assert trace_in(f"cc{said[2:]}-more") == trace_of_run("r-aaaa")
    none = (
        None,
        1,
        "",
        "00-1-2-01",
        f"ff{said[2:]}",
        f"00-{'0' * 32}-{said[36:]}",
        f"{said[:36]}{'0' * 16}-01",
        f" {said}",
    )
    assert [trace_in(each) for each in none] == [""] * len(none)
