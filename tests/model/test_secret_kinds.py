"""What secrets look like: every kind is found wherever it stands, and looking for it takes work in proportion."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import cast

import pytest
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.jwt import JwtTokenDetector
from detect_secrets.plugins.npm import NpmDetector
from detect_secrets.plugins.openai import OpenAIDetector
from hypothesis import given
from hypothesis import strategies as st

from contracts.secret_kinds import kinds
from servers.minds.secrets import Mask
from tests.model.examples import JWT, SECRETS
from tests.model.steps import steps

PATTERNS = [(kind.name, pattern) for kind in kinds() for pattern in kind.patterns]
CHARS = 150
"""Of a text that is made to be slow, where the secret is no longer; the other one is twice as long."""
EDGE = 1000
"""Steps that the end of a text may cost, however long it is."""


def test_there_is_an_example_of_every_kind() -> None:
    """So that nothing below leaves one out."""
    assert {kind.name for kind in kinds()} == set(SECRETS)


@given(st.sampled_from(sorted(SECRETS)), st.text(), st.integers(0, 300), st.text())
def test_a_secret_is_masked_wherever_it_stands(kind: str, before: str, lines: int, after: str) -> None:
    """Whatever is said around it, and however much."""
    filler = "line of code()\n" * lines
    text = Mask().text(f"{before}{filler} {SECRETS[kind]} {filler}{after}")
    assert SECRETS[kind] not in text
    assert f"[masked: {kind}]" in text


THEIRS: dict[str, type[RegexBasedDetector]] = {
    "OpenAI Token": OpenAIDetector,
    "JSON Web Token": JwtTokenDetector,
    "NPM tokens": NpmDetector,
}
"""Kinds whose patterns are said anew here."""

PIECES = {
    "OpenAI Token": ["sk-", "a" * 20, "B" * 19, "T3BlbkFJ", "-", "_", " ", "\n", "sk"],
    "JSON Web Token": [*JWT.split("."), ".", "eyJ", "a", "=", "-", "_", "+", "/", " ", "e30"],
    "NPM tokens": ["//", "/", "host", ":_authToken=", "npm_", "0" * 36, "-", " ", "\n", "a", "$"],
}


@given(st.data(), st.sampled_from(sorted(THEIRS)))
def test_what_the_librarys_own_pattern_finds_is_masked(data: st.DataObject, kind: str) -> None:
    """Where a pattern is said anew, it finds at least what the library's did."""
    text = "".join(data.draw(st.lists(st.sampled_from(PIECES[kind]), max_size=20)))
    masked = Mask().text(text)
    for pattern in cast("Iterable[re.Pattern[str]]", THEIRS[kind].denylist):
        found = [each.group() for each in pattern.finditer(masked)]
        assert not [each for each in found if kind != "JSON Web Token" or JwtTokenDetector.is_formally_valid(each)]


def hostile(secret: str) -> Iterable[tuple[str, str]]:
    """Texts that begin to look like `secret`, over and over: its beginnings repeated, and drawn out. Each twice."""
    chars = max(CHARS, 2 * len(secret))
    for length in sorted({1, 2, 3, 4, 5, 7, 8, 11, 21, 28, 34, len(secret) - 1} & set(range(1, len(secret)))):
        begun = secret[:length]
        for more in (begun, begun[-1], "\n"):
            short, long = (begun + more * (size // len(more)) for size in (chars, 2 * chars))
            yield short, long


@pytest.mark.parametrize(("kind", "pattern"), PATTERNS, ids=[f"{name}-{n}" for n, (name, _) in enumerate(PATTERNS)])
def test_a_text_twice_as_long_takes_twice_the_work(kind: str, pattern: re.Pattern[str]) -> None:
    """However it is made: steps of a backtracking matcher are counted, not seconds."""
    for short, long in hostile(SECRETS[kind]):
        (few, _), (many, found) = steps(pattern, short), steps(pattern, long)
        assert many <= 2 * few + EDGE, f"{few} steps for {short!r}, and {many} for twice as much"
        assert found == [each.span() for each in pattern.finditer(long)], "it counts what `re` does"


@pytest.mark.parametrize("kind", THEIRS)
def test_the_counter_tells_patterns_that_are_slow(kind: str) -> None:
    """The library's own, which are said anew for that, take more than three times the work."""
    (slow,) = cast("Iterable[re.Pattern[str]]", THEIRS[kind].denylist)
    assert any(steps(slow, long)[0] > 3 * steps(slow, short)[0] for short, long in hostile(SECRETS[kind]))


def test_a_web_token_that_nobody_can_read_is_masked() -> None:
    """JSON nested so deeply that reading it fails is no way past the scan."""
    deep = base64.urlsafe_b64encode(b"[" * 100_002).decode()
    header = JWT.partition(".")[0]
    assert Mask().text(f"token = {header}.{deep} #") == "token = [masked: JSON Web Token] #"
