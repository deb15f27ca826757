"""What untrusted programs printed cannot command a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.sandbox.text import plain


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        (b"plain \xc3\xa9\n\ttext", "plain é\n\ttext"),
        (b"\x1b[31mred\x1b[0m", "red"),
        (b"a\x1b]0;title\x07b", "ab"),
        (b"a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "alink"),
        (b"a\x1b]52;c;aGk=", "a"),
        (b"a\x1bcb", "ab"),
        ("a\x9b2Jb".encode(), "ab"),
        (b"one\r\ntwo\rthree", "one\ntwo\nthree"),
        (b"bell\x07 nul\x00 del\x7f", "bell␇ nul␀ del␡"),
        ("safe\u202eevil".encode(), "safe<U+202E>evil"),
        (b"bad \xff", "bad \ufffd"),
        (b"lone \x1b", "lone ␛"),
    ],
)
def test_control_becomes_visible_or_goes(printed: bytes, shown: str) -> None:
    """Colours go, controls show, text stays."""
    assert plain(printed) == shown


@given(st.binary() | st.text(alphabet="\x1b[]m;\x07\x9bPX^_\\?0a\n").map(str.encode))
def test_no_control_character_remains(printed: bytes) -> None:
    """Whatever was printed, only new lines and tabs are left of what terminals obey."""
    for character in plain(printed):
        assert character in "\n\t" or not (ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0)
