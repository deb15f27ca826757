"""What a filter asks the broker for leaves nothing out that it takes."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from bus.subjects import CallSubject, matches, refused
from contracts.base import sha256
from contracts.failure import Failure
from contracts.ledger import CallRecord, Note
from orchestrator.auditing.filters import Filter

NAMES = st.sampled_from(["echo", "other", "host_desk", "model"])
TOOLS = st.one_of(st.sampled_from(["say", "fs.read", "a*b", "say it"]), st.text(min_size=1, max_size=8))
GLOBS = st.one_of(
    st.just(""), st.sampled_from(["say", "s*", "echo.*", "*.say", "*.fs.read", "oth??.say", "say it"]), TOOLS
)
FILTERS = st.builds(
    Filter,
    agent=st.one_of(st.just(""), NAMES, st.text(max_size=4)),
    tool=GLOBS,
    run=st.sampled_from(["", "r-aaaa", "*"]),
)
AT = datetime(2026, 1, 1, tzinfo=UTC)


def record(server: str, tool: str, caller: str, **more: str) -> CallRecord:
    said = {"kind": "call", "run": "r-aaaa", "outcome": "ok", **more}
    place = {"call_id": "c1", "trace_id": "0" * 32, "called_at": AT, "params_sha256": sha256(b""), "seq": 1}
    return CallRecord.model_validate({"server": server, "tool": tool, "caller": caller, **place, **said})


@given(FILTERS, NAMES, TOOLS, NAMES)
def test_a_call_that_is_taken_is_asked_for(wanted: Filter, server: str, tool: str, caller: str) -> None:
    """And its answer."""
    if wanted.takes(record(server, tool, caller)):
        subject, pattern = CallSubject(server, tool, caller, "c1"), wanted.call_pattern(server)
        assert pattern is not None
        assert matches(pattern, str(subject))
        assert matches(wanted.result_pattern(server), subject.result)


@given(FILTERS, NAMES, TOOLS, NAMES)
def test_a_denial_or_a_note_that_is_taken_is_asked_for(wanted: Filter, server: str, tool: str, caller: str) -> None:
    """Of all kinds."""
    denied = record(server, tool, caller, kind="denial", run="", outcome="denied")
    if wanted.takes(denied):
        assert any(matches(each, refused(caller, server, tool, "c1")) for each in wanted.note_patterns())
    for kind, subject in (
        ("gate", "gate.r-aaaa.plan-1.decision"),
        ("run", "run.r-aaaa.started"),
        ("grant", f"crew.{server}.granted"),
        ("pin", f"crew.{server}.pinned"),
    ):
        said = {
            "kind": kind,
            "at": AT,
            "run": "r-aaaa",
            "caller": caller,
            "server": server,
            "what": "x",
            "outcome": "y",
        }
        note = Note.model_validate({**said, "body_sha256": sha256(b""), "body_bytes": 0, "seq": 1})
        if wanted.takes(note):
            assert any(matches(each, subject) for each in wanted.note_patterns())


@given(st.text(min_size=1), st.booleans())
def test_text_is_found_however_json_writes_it(text: str, ascii_only: bool) -> None:
    """Quotes, line ends and letters of any script."""
    body = json.dumps({"arguments": {"text": f"before {text} after"}}, ensure_ascii=ascii_only)
    assert Filter(text=text).says(b"other", body.encode("utf-8", "surrogatepass"))


def test_an_outcome_is_the_general_one_or_how_a_call_failed() -> None:
    """`failed` and `timeout` both take a call that timed out."""
    why = Failure(kind="timeout", message="late")
    late = record("echo", "say", "model", outcome="failed").model_copy(update={"failure": why})
    for outcomes, takes in (({"failed"}, True), ({"timeout"}, True), ({"ok", "denied"}, False), (set[str](), True)):
        assert Filter(outcomes=frozenset(outcomes)).takes(late) is takes
