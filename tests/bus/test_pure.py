"""Subjects, envelopes, wire and grants: pure, so properties hold for all inputs."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client

from bus.envelope import MAC, SEAL, mac, opened, seal, vouched
from bus.errors import CallFailed, InvalidMessage
from bus.grants import Grant, check_calls, permissions
from bus.identity import new_identity
from bus.nats_link import HeaderReader
from bus.subjects import MAX_NAME_CHARS, CallSubject, matches, parse_rpc, refused, rpc, token, untoken
from bus.wire import Correlation, call_request, called_tool, correlation_of, failure_result, parse, response, result_of
from contracts.failure import Failure
from contracts.trace import trace_of_run, traceparent
from tests.bus.echo import EchoParams, EchoResult

NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,20}", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=MAX_NAME_CHARS)
CALL_IDS = st.from_regex(r"[0-9a-f]{32}", fullmatch=True)


@given(TEXTS)
def test_any_tool_name_becomes_one_token_and_comes_back(name: str) -> None:
    """No name can add a token, a wildcard or white space to a subject."""
    escaped = token(name)
    assert not set(escaped) & set(".*> \t\r\n")
    assert untoken(escaped) == name


@given(NAMES, TEXTS, NAMES, CALL_IDS)
def test_a_call_subject_says_the_same_after_a_round_trip(server: str, tool: str, caller: str, call_id: str) -> None:
    """What is written into a subject is read from it."""
    subject = CallSubject(server, tool, caller, call_id)
    assert CallSubject.parse(str(subject)) == subject
    assert matches(f"call.{server}.*.{caller}.*", str(subject))


@given(NAMES, st.sampled_from(["tools/list", "server/discover", "resources/templates/list"]), NAMES)
def test_an_rpc_subject_says_the_same_after_a_round_trip(server: str, method: str, caller: str) -> None:
    """Methods with slashes keep them."""
    assert parse_rpc(rpc(server, method, caller)) == (server, method, caller)


def test_no_name_makes_a_subject_too_long_for_the_broker() -> None:
    """A longer one is refused before it is sent; what a host was refused is noted all the same, cut."""
    longest, longer = "\U0001f3bc" * MAX_NAME_CHARS, "x" * (MAX_NAME_CHARS + 1)
    name = "n" * 64
    for fits in (
        CallSubject(name, longest, name, "0" * 32),
        rpc(name, longest, name),
        rpc(name, "a" + "/a" * 127, name),
    ):
        assert len(str(fits)) < 3500
    for subject in (lambda: str(CallSubject("x", longer, "y", "0" * 32)), lambda: rpc("x", longer, "y")):
        with pytest.raises(InvalidMessage):
            subject()
    noted = refused(name, longer, "\U0001f3bc" * 6000, "0" * 32)
    assert len(noted) < 3500
    assert untoken(noted.split(".")[2]) == "x" * 63 + "…"


@pytest.mark.parametrize("escaped", ["=2e", "=2E=", "a=41", "=ZZ", "=C3"])
def test_an_escape_that_is_not_canonical_is_refused(escaped: str) -> None:
    """Two spellings of one tool would be two permissions for it."""
    with pytest.raises(ValueError, match=r"subject token|decode"):
        untoken(escaped)


ALICE, MALLORY = new_identity("alice"), new_identity("mallory")
ROSTER = {"alice": ALICE.public, "mallory": MALLORY.public}


@given(st.binary(), st.binary(), NAMES)
def test_a_sealed_message_opens_only_as_it_was_sealed(body: bytes, other: bytes, subject: str) -> None:
    """Another body, subject or sender is noticed."""
    headers = seal(ALICE.signer(), subject, body)
    assert opened(subject, body, headers, ROSTER) == "alice"
    with pytest.raises(InvalidMessage):
        opened(subject + "x", body, headers, ROSTER)
    with pytest.raises(InvalidMessage):
        opened(subject, body, {SEAL: headers[SEAL].replace("alice", "mallory", 1)}, ROSTER)
    if other != body:
        with pytest.raises(InvalidMessage):
            opened(subject, other, headers, ROSTER)


@given(st.binary(), st.binary(), NAMES)
def test_a_vouched_message_is_taken_only_as_it_was_sent(body: bytes, other: bytes, subject: str) -> None:
    """Sender and recipient compute the same key; nobody else does, and another body or subject is noticed."""
    key = ALICE.signer().shared_key(MALLORY.public)
    assert key == MALLORY.signer().shared_key(ALICE.public)
    headers = {**seal(ALICE.signer(), subject, body), MAC: mac(key, subject, body)}
    assert vouched(subject, body, headers, key)
    for wrong_key in (b"\0" * 32, new_identity("eve").signer().shared_key(MALLORY.public)):
        assert not vouched(subject, body, headers, wrong_key)
    assert not vouched(subject + "x", body, headers, key)
    assert vouched(subject, other, headers, key) == (other == body)
    assert not vouched(subject, body, {**headers, MAC: "é\udcff"}, key)


def test_a_key_that_is_none_is_refused() -> None:
    """A roster entry that no identity made gives no shared secret."""
    for public in ("", "U", "U" + "A" * 55, "not base32!"):
        with pytest.raises(ValueError, match="public key"):
            ALICE.signer().shared_key(public)


def test_a_sender_who_is_not_on_the_roster_is_nobody() -> None:
    """A valid signature of an unknown key proves nothing."""
    with pytest.raises(InvalidMessage, match="roster"):
        opened("s", b"", seal(new_identity("eve").signer(), "s", b""), ROSTER)


@given(CALL_IDS, TEXTS, st.text(st.characters(codec="utf-8")), TEXTS)
def test_a_request_says_what_was_asked(call_id: str, tool: str, text: str, run: str) -> None:
    """The bytes the engine builds are JSON-RPC with exactly these values."""
    message = parse("s", call_request(call_id, tool, EchoParams(text=text), Correlation(run=run)))
    assert called_tool(message) == tool
    assert message["id"] == call_id
    assert message["params"]["arguments"] == {"text": text}
    assert correlation_of(message) == Correlation(run=run)
    assert message["params"]["_meta"]["traceparent"] == traceparent(trace_of_run(run), call_id)


def test_a_failure_arrives_as_the_failure_it_was() -> None:
    """Kind, retry and way out survive the wire."""
    failure = Failure(kind="conflict", message="moved on", retry=True, way_out="Ask again.")
    with pytest.raises(CallFailed) as caught:
        result_of("echo", "say", response("1", failure_result(failure)), EchoResult)
    assert caught.value.failure == failure
    assert caught.value.retry


@pytest.mark.parametrize(
    "answer",
    [
        response("1", {"structuredContent": {"text": 1}}),
        response("1", {"content": []}),
        json.dumps({"jsonrpc": "2.0", "id": "1", "error": {"code": -32603, "message": "no"}}).encode(),
        response("1", {"isError": True, "content": [{"type": "text", "text": "no"}]}),
    ],
)
def test_an_answer_that_breaks_the_contract_is_a_failed_call(answer: bytes) -> None:
    """Whatever a server sends, the caller gets its type or a `CallFailed`."""
    with pytest.raises(CallFailed):
        result_of("echo", "say", answer, EchoResult)


def test_a_member_may_publish_under_its_own_name_only() -> None:
    """Every subject a member may publish names it, is an acknowledgement of its own, or reads."""
    granted = permissions(Grant("writer", serves=True, calls=("runner.run",)))
    assert "call.runner.run.writer.*" in granted.publish
    assert not any(matches(allowed, "call.runner.run.boss.0") for allowed in granted.publish)
    assert not any(matches(allowed, "result.boss.runner.0") for allowed in granted.publish)
    assert not any(matches(allowed, "$JS.API.STREAM.PURGE.LEDGER_writer") for allowed in granted.publish)
    assert not any(matches(allowed, "_INBOX.boss.x") for allowed in granted.subscribe)


def test_a_grant_that_names_nothing_is_said() -> None:
    """A misspelt tool in a crew file is a sentence, not a silent denial later."""
    said = {"w": ("runner.rnu", "runner.run", "runner.*", "*", "comes_later.x")}
    assert check_calls(said, {"runner": {"run"}}) == ["w is granted runner.rnu, but runner has no tool 'rnu'"]


@given(
    st.lists(
        st.one_of(st.binary(max_size=12), st.sampled_from([b"Nats-Seq: 1", b"a b: c", b"\x1cA: b", b"caf\xe9: x"]))
    )
)
def test_headers_are_read_as_the_client_reads_them(lines: list[bytes]) -> None:
    """Whatever stands there; only sooner."""
    raw = b"\r\n".join(lines)
    theirs, ours = (getattr(one, "_parse_header_lines")(raw) for one in (Client, HeaderReader))  # noqa: B009 - private
    assert ours == theirs
