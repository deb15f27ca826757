"""The table is added to and taken from a TOML file as whole lines; comments keep their places."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.hosts.errors import EditError, Malformed
from orchestrator.hosts.formats import Entry, with_entry, without_entry
from orchestrator.hosts.toml_edits import Toml

TOML = Toml()
ENTRY: Entry = {
    "command": "/opt/p o/podium",
    "args": ["mcp", "--host", 'a"b\\c\x7f\n'],
    "env": {"A B": "1"},
    "wait": 60,
}
OTHER: Entry = {"command": "x"}
PIECES = st.lists(
    st.sampled_from(
        [
            "# about the next table",
            "",
            '[mcp_servers.a]\ncommand = "x" # why\nargs = [\n  "[mcp_servers.podium]", # not a header\n]',
            "[mcp_servers.'b.c'.env]\nTOKEN = '''\n[mcp_servers.podium]\n'''",
            '[other]\ntext = """\n[mcp_servers.podium] # "" \\"""\ncommand = 1\n"""""',
            '[[list]]\nname = "one"',
            '[[list]]\nname = "two"\n# the end',
            "[mcp_servers]",
            "[deep.er]\ninline = { a = 1, b = [1, 2] }\ndotted.key = 1979-05-27",
        ]
    ),
    unique=True,
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A valid file."""
    head = draw(st.sampled_from(["", 'model = "o3"\n', '# mine\nmodel = "o3" # best\n\n']))
    pieces = draw(PIECES)
    if "[mcp_servers]" in pieces:  # a table is opened before those below it
        pieces = ["[mcp_servers]", *(each for each in pieces if each != "[mcp_servers]")]
    return (head + "\n".join(pieces)).replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


def put(text: str, entry: Entry) -> str:
    return with_entry(TOML, text, "mcp_servers", "podium", entry).after


def take(text: str) -> str:
    return without_entry(TOML, text, "mcp_servers", "podium").after


@given(texts())
def test_the_table_is_added_at_the_end_and_can_be_taken_away(text: str) -> None:
    """Nothing that was there changes, not even the file's line ends."""
    new = put(text, ENTRY)
    before = tomllib.loads(text)
    assert tomllib.loads(new) == {**before, "mcp_servers": {**before.get("mcp_servers", {}), "podium": ENTRY}}
    assert new.startswith(text if text.strip() else "")
    assert ("\r\n" in text) == ("\r\n" in new) or not text.strip()
    assert take(new).rstrip("\r\n") == (text.rstrip("\r\n") if text.strip() else "")


@given(texts(), texts())
def test_a_table_in_the_middle_is_replaced_in_its_place_and_taken_away_alone(above: str, below: str) -> None:
    """What is above and below it stays, byte for byte; the comment above the next table is the next table's."""
    below = below.replace("mcp_servers", "others").replace("list", "rest").replace("[other]", "[another]")
    below = below.replace("deep", "steep").replace("model", "# model").replace("\r\n", "\n")
    above = above.replace("\r\n", "\n")
    entry = '[mcp_servers.podium]\ncommand = "x"\n[mcp_servers.podium.tools.y]\nmode = "ask"\n'
    text = f"{above}\n{entry}# below\n{below}"
    assert put(text, ENTRY) == f"{above}\n{put('', ENTRY)}# below\n{below}"
    assert take(text) == f"{above}\n# below\n{below}"


@pytest.mark.parametrize(
    "text",
    [
        "[mcp_servers]\npodium = { command = 'y' }\na = { command = 'z' } # mine\n",
        "[mcp_servers]\na.command = 'z'\npodium.command = 'y' # old\npodium.args = []\n",
        "mcp_servers.podium.command = 'y'\n[mcp_servers.a]\ncommand = 'z'\n",
        "[ mcp_servers . \"podium\" ] # odd\ncommand = 'y'\n\n[mcp_servers.a]\ncommand = 'z'\n",
        "[mcp_servers.podium.env]\nX = '1'\n[mcp_servers.a]\ncommand = 'z'\n[mcp_servers.podium]\ncommand = 'y'\n",
    ],
)
def test_an_entry_in_any_of_the_ways_of_toml_is_found(text: str) -> None:
    """As an inline table, as dotted keys, under an oddly written header, in two parts."""
    rest = {"mcp_servers": {"a": {"command": "z"}}}
    assert tomllib.loads(take(text)) == rest
    assert tomllib.loads(put(text, OTHER)) == {"mcp_servers": {**rest["mcp_servers"], "podium": OTHER}}


@pytest.mark.parametrize(
    "text",
    ["mcp_servers = { a = { command = 'z' } }", "mcp_servers = { podium = { command = 'y' }, a = { command = 'z' } }"],
)
def test_a_table_of_servers_in_one_line_is_left_alone(text: str) -> None:
    """It has no lines of its own to add or to take."""
    with pytest.raises(EditError, match="without changing something else"):
        put(text, OTHER)


def test_what_is_wrong_is_said_with_its_place() -> None:
    with pytest.raises(Malformed, match="line 2, column 5"):
        put("a = 1\nb = \n", OTHER)


def test_the_last_blank_line_goes_with_the_table() -> None:
    """Adding and taking away again and again does not make a file longer."""
    text = 'model = "o3"\n\n[mcp_servers.a]\ncommand = "x"\n'
    assert take(put(text, ENTRY)) == text
