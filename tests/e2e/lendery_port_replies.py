"""What a good model would reply to `examples/lendery/tickets/choose-the-port.md`."""

from __future__ import annotations

from contracts.planning import PlannedWork
from contracts.workflow import RelevantFile, WorkItem
from servers.writing.replies import Block, DeclaredTest
from tests.e2e.tickets import Change, Ticket

CHOOSE_THE_PORT = Ticket(
    "choose-the-port",
    PlannedWork(
        goal="`python -m lendery --port N` listens on port N; without the option the port stays 8000.",
        relevant=(
            RelevantFile(path="lendery/__main__.py", why="Has the command line with --host, the option alike."),
            RelevantFile(path="tests/test_command.py", why="Tests the command without opening a socket."),
            RelevantFile(path="README.md", why="Says how to start it."),
        ),
        work=(
            WorkItem(
                id="tests",
                agent="test_writer",
                path="tests/test_command.py",
                instruction="Add tests of --port behind those of --host, with the `started` fixture: a chosen port, "
                "8000 without the option, 0, and what is refused with exit status 2 before anything listens.",
                reads=("lendery/__main__.py",),
                check="The new tests fail, the old ones pass.",
            ),
            WorkItem(
                id="option",
                agent="code_writer",
                path="lendery/__main__.py",
                instruction="Add --port beside --host: a whole number from 0 to 65535, PORT by default, refused by "
                "argparse otherwise; listen there.",
                reads=("tests/test_command.py",),
                after=("tests",),
                check="tests/test_command.py passes.",
            ),
        ),
    ),
    {
        "tests": Change(
            "tests/test_command.py",
            "Say how the port is chosen",
            (
                Block(
                    search='    assert "--color" in capsys.readouterr().err\n    assert started == []\n',
                    replace="""    assert "--color" in capsys.readouterr().err
    assert started == []


@pytest.mark.parametrize("port", [8080, 0, 65535])
def test_the_port_can_be_chosen(started, port):
    command.main(["--port", str(port)])
    assert started == [("127.0.0.1", port)]


def test_the_port_is_8000_unless_it_is_chosen(started):
    for words in ([], ["--port", "8080"], ["--host", "::1"]):
        command.main(words)
    assert [port for _, port in started] == [8000, 8080, 8000]


@pytest.mark.parametrize("port", ["65536", "-1", "http", "80.5", ""])
def test_what_is_no_port_is_refused(started, capsys, port):
    with pytest.raises(SystemExit) as ended:
        command.main([f"--port={port}"])
    assert ended.value.code == 2
    assert "argument --port: " in capsys.readouterr().err
    assert started == []
""",
                ),
            ),
            tests=(
                DeclaredTest(name="test_the_port_can_be_chosen", criteria=("c1",)),
                DeclaredTest(name="test_the_port_is_8000_unless_it_is_chosen", criteria=("c1", "c2")),
                DeclaredTest(name="test_what_is_no_port_is_refused", criteria=("c3",)),
            ),
        ),
        "option": Change(
            "lendery/__main__.py",
            "The port can be chosen with --port",
            (
                Block(
                    search="def options(words: Sequence[str] | None = None) -> argparse.Namespace:\n",
                    replace='''def port(text: str) -> int:
    """A port's number.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"a whole number from 0 to 65535 is needed, not {text!r}")
    return int(text)


def options(words: Sequence[str] | None = None) -> argparse.Namespace:
''',
                ),
                Block(
                    search="    return parser.parse_args(words)\n",
                    replace="""    parser.add_argument(
        "--port", type=port, default=PORT, help="port to listen on; 0: the system chooses (default: %(default)s)"
    )
    return parser.parse_args(words)
""",
                ),
                Block(
                    search="    with make_server(asked.host, PORT, Application(Store())) as server:\n",
                    replace="    with make_server(asked.host, asked.port, Application(Store())) as server:\n",
                ),
            ),
        ),
    },
)
