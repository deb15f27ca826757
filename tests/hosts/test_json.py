"""Whatever JSON a host's file holds, the entry goes in and out, and nothing else moves."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import cast

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from orchestrator.hosts.errors import EditError, Malformed
from orchestrator.hosts.formats import Entry, with_entry, without_entry
from orchestrator.hosts.json_edits import Json
from tests.hosts.documents import ENTRY, NAME, SECTION, SERVERS, VALUES, Document, documents

PLAIN, COMMENTED = Json(strict=True), Json(strict=False)
ANY = st.booleans().flatmap(lambda strict: st.tuples(st.just(Json(strict=strict)), documents(strict=strict)))
WITH_ENTRY = SERVERS.flatmap(lambda servers: VALUES.map(lambda value: {**servers, NAME: value}))
OTHER: Entry = {"url": "https://example.org"}


def put(form: Json, text: str, entry: Entry = ENTRY) -> str:
    return with_entry(form, text, SECTION, NAME, entry).after


def take(form: Json, text: str) -> str:
    return without_entry(form, text, SECTION, NAME).after


def changed(old: str, new: str) -> tuple[str, str]:
    """What is left of both when what they begin and end with in common is taken away."""
    start = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    rest = min(len(old), len(new)) - start
    end = next((i for i in range(rest) if old[-1 - i] != new[-1 - i]), rest)
    return old[start : len(old) - end], new[start : len(new) - end]


@given(ANY)
def test_the_reader_says_what_the_document_says(drawn: tuple[Json, Document]) -> None:
    """Any layout, any comments, any values."""
    form, document = drawn
    assert form.read(document.text) == document.data


@given(ANY)
def test_the_entry_is_added_to_what_was_there(drawn: tuple[Json, Document]) -> None:
    form, document = drawn
    new = put(form, document.text)
    servers = cast("dict[str, object]", document.data.get(SECTION, {}))
    assert form.read(new) == {**document.data, SECTION: {**servers, NAME: ENTRY}}
    if form.strict:
        assert json.loads(new) == form.read(new)


@given(ANY)
def test_adding_changes_one_place(drawn: tuple[Json, Document]) -> None:
    """Before and behind it every byte is as it was; only blanks were there, or a comment that is still there."""
    form, document = drawn
    old, new = changed(document.text, put(form, document.text))
    assert COMMENTED.read(old) == {}
    assert old.strip() in new


@given(ANY)
def test_an_entry_that_is_there_is_added_no_more(drawn: tuple[Json, Document]) -> None:
    form, document = drawn
    once = put(form, document.text)
    assert put(form, once) == once


@given(ANY)
def test_replacing_an_entry_changes_its_value_alone(drawn: tuple[Json, Document]) -> None:
    form, document = drawn
    first = put(form, document.text, OTHER)
    assert put(form, first) == put(form, document.text)


@given(documents(strict=False, servers=WITH_ENTRY))
def test_an_entry_of_whatever_kind_is_replaced(document: Document) -> None:
    assume(SECTION in document.data)
    assert COMMENTED.read(put(COMMENTED, document.text)) == {
        **document.data,
        SECTION: {**cast("dict[str, object]", document.data[SECTION]), NAME: ENTRY},
    }


@given(documents(strict=False, servers=WITH_ENTRY))
def test_the_entry_alone_is_taken_away(document: Document) -> None:
    """Comments around it stay, wherever it stands among the others."""
    assume(SECTION in document.data)
    new = take(COMMENTED, document.text)
    servers = cast("dict[str, object]", document.data[SECTION])
    assert COMMENTED.read(new) == {**document.data, SECTION: {k: v for k, v in servers.items() if k != NAME}}


@given(ANY)
def test_what_was_added_can_be_taken_away(drawn: tuple[Json, Document]) -> None:
    form, document = drawn
    new = take(form, put(form, document.text))
    assert form.read(new) == {**document.data, SECTION: document.data.get(SECTION, {})}


@pytest.mark.parametrize("indent", [None, 1, 2, 4, "\t"])
@pytest.mark.parametrize("servers", [{}, {"a": 1}, {"a": {}, "b": {"c": [1]}}])
@pytest.mark.parametrize("more", [{}, {"x": [1, 2]}])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_taking_away_what_was_added_gives_the_same_bytes(
    indent: int | str | None, servers: dict[str, object], more: dict[str, object], ends: str
) -> None:
    """In files as programs write them."""
    text = json.dumps({SECTION: servers, **more}, indent=indent).replace("\n", ends) + ends
    assert take(PLAIN, put(PLAIN, text)) == text


@given(
    st.text(max_size=60) | documents(strict=False).flatmap(lambda each: st.integers(0, 40).map(lambda n: each.text[:n]))
)
def test_a_broken_text_is_malformed_and_nothing_else(text: str) -> None:
    """Cut anywhere, or no JSON at all: never another error, never a guess."""
    for form in (PLAIN, COMMENTED):
        try:
            form.read(text)
        except Malformed:
            with pytest.raises(Malformed):
                put(form, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n  "servers": {\n', "line 3, column 1: a string in double quotes"),
        ('{"servers": {} "a": 1}', "line 1, column 16: a comma or `}` is missing"),
        ('{"servers": {}} x', "line 1, column 17: there is more"),
        ("[1]", "line 1, column 1: an object in braces"),
        ('{\n "servers": [1]}', "`servers` is not a table"),
        ('{"servers" 1}', "line 1, column 12: a colon"),
        ('{"servers": tru}', "line 1, column 13: a value"),
        ('{"servers": "\\x"}', "an escape that does not exist"),
        ('{"a": 1 /* c }', "line 1, column 9"),
        ('{"a": ' + "[" * 500 + "]" * 500 + "}", "nested deeper"),
        ('{"a": ' + "9" * 5000 + "}", "a number that is too long"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, said: str) -> None:
    with pytest.raises(Malformed) as caught:
        put(COMMENTED, text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n  "a": 1, // one\n  "b": 2\n}', "line 2, column 11: a comment"),
        ('{"a": [1,]}', "line 1, column 9: a comma before `]`"),
        ('{"a": 1,}', "a comma before `}`"),
    ],
)
def test_plain_json_has_no_comments_and_no_trailing_commas(text: str, said: str) -> None:
    """A host that reads plain JSON cannot read such a file either, and says less about it."""
    with pytest.raises(Malformed) as caught:
        put(PLAIN, text)
    assert said in str(caught.value)
    assert COMMENTED.read(put(COMMENTED, text))[SECTION] == {NAME: ENTRY}


@pytest.mark.parametrize(
    "text", ['{"servers": {}, "servers": {"podium": 1}}', '{"servers": {"podium": 1, "podium": 2}}']
)
@pytest.mark.parametrize("change", [put, take])
def test_what_is_there_twice_is_left_alone(text: str, change: Callable[[Json, str], str]) -> None:
    """Hosts take the last, people read the first."""
    with pytest.raises(EditError, match="there 2 times"):
        change(COMMENTED, text)


@pytest.mark.parametrize("text", ["", " \n", "\ufeff", "// mine\n", "/* mine */"])
def test_a_file_with_nothing_in_it_gets_the_entry(text: str) -> None:
    new = put(COMMENTED, text)
    assert new.startswith(text.strip())
    assert COMMENTED.read(new.lstrip("\ufeff")) == {SECTION: {NAME: ENTRY}}
    assert new.endswith("}\n")


def test_a_byte_order_mark_stays() -> None:
    assert put(PLAIN, '\ufeff{"servers": {}}').startswith('\ufeff{"servers"')
