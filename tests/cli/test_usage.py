"""What `podium` says before anything is started."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from contracts.failure import Failure
from orchestrator.cli.commands import COMMANDS, podium
from orchestrator.cli.reference import walk
from orchestrator.cli.trouble import report, trouble
from orchestrator.errors import CouldNot
from orchestrator.recording import RecordingError
from orchestrator.recording_file import load
from tests.cli.conftest import Podium

READS = ("runs", "show", "watch", "agents", "audit log", "status", "doctor", "run fix-bug", "resume", "bundle")


def leaves() -> list[tuple[str, click.Command]]:
    return [(name.removeprefix("podium").strip(), command) for name, command in walk(podium, "podium")]


def raised(error: Exception) -> Exception:
    """`error`, with a traceback."""
    try:
        raise error
    except Exception as caught:
        return caught


@pytest.mark.parametrize(("name", "command"), leaves(), ids=[name or "podium" for name, _ in leaves()])
def test_every_command_explains_itself(name: str, command: click.Command) -> None:
    """`--help` works everywhere, ends with 0 and, below the root, shows examples that name the command."""
    shown = CliRunner().invoke(podium, [*name.split(), "--help"])

    assert shown.exit_code == 0
    assert not name or f"podium {name}" in shown.output.split("Examples:")[1]
    assert all(len(row) <= 100 for row in shown.output.splitlines())


@pytest.mark.parametrize("name", READS)
def test_what_reads_can_answer_a_program(name: str) -> None:
    """Every command that reads something takes `--json`."""
    assert "--json" in CliRunner().invoke(podium, [*name.split(), "--help"]).output


def test_the_summaries_in_the_list_are_the_commands_own() -> None:
    """The list of commands is written down apart, for speed; each entry has its command's name."""
    assert [name for name in COMMANDS if podium.get_command(click.Context(podium), name) is None] == []
    assert [command.name for path, command in walk(podium, "podium") if path.count(" ") == 1] == list(COMMANDS)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["rum"], "Did you mean `podium run`?"),
        (["zzz"], "`podium --help` lists the commands"),
        (["run", "fix-bug"], "--test"),
        (["run", "fix-bug", "--test", "t", "--auto", "everything"], "there is no gate everything"),
        (["run", "fix-bug", "--test", "t", "--budget-seconds", "0"], "--budget-seconds"),
        (["reject", "last"], "--reason"),
        (["bundle", "last"], "--output"),
        (["runs", "-n", "0"], "--limit"),
        (["replay", "last", "--from", "plan", "--budget-tokens", "many"], "500k"),
        (["completion", "tcsh"], "tcsh"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_explained_with_2(args: list[str], said: str) -> None:
    """Usage errors name what is wrong and end with 2, before anything is started."""
    shown = CliRunner().invoke(podium, args)

    assert (shown.exit_code, "Traceback" in shown.output) == (2, False)
    assert said in shown.output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_each_shell(shell: str) -> None:
    """The script names the variable by which the shell asks for completions."""
    assert "_PODIUM_COMPLETE" in CliRunner().invoke(podium, ["completion", shell]).output


def test_an_expected_error_is_a_message_and_a_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback; with `--json` the failure is the one document on stdout."""
    code = report(raised(trouble("The bridge is up.", "Wait.", code=2)), ["runs", "--json"])

    captured = capsys.readouterr()
    assert code == 2
    assert "The bridge is up." in captured.err
    assert "→ Wait." in captured.err
    assert "Traceback" not in captured.err
    assert json.loads(captured.out)["error"]["message"] == "The bridge is up."


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("its answer ended", "its answer ended. Try again."),
        ("Use another.", "Use another. Try again."),
        ("Is it there?", "Is it there? Try again."),
    ],
)
def test_a_reason_and_its_way_out_are_two_sentences(reason: str, said: str) -> None:
    """However the reason ends, there is one stop between them."""
    assert str(Failure(kind="unavailable", message=reason, way_out="Try again.")) == said
    assert str(CouldNot(reason, "Try again.")) == said


def test_the_name_of_a_file_is_left_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A sentence begins with a capital; a name in it is no word of it."""
    file = tmp_path / "run.jsonl"
    file.write_text("{}")
    with chdir(tmp_path), pytest.raises(RecordingError) as error:
        load(Path(file.name))

    report(error.value, [])

    assert "The file run.jsonl is no recording" in capsys.readouterr().err


def test_debug_shows_where_an_error_came_from(capsys: pytest.CaptureFixture[str]) -> None:
    """`--debug` adds the traceback."""
    report(raised(trouble("The bridge is up.")), ["--debug", "runs"])

    shown = capsys.readouterr().err
    assert "Traceback (most recent call last)" in shown
    assert "The bridge is up." in shown


def test_of_a_group_of_errors_the_one_that_can_be_explained_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    """Task groups wrap errors; people do not."""
    group = ExceptionGroup("tasks", [ExceptionGroup("more", [KeyError("x"), trouble("The bridge is up.", code=4)])])

    assert report(group, []) == 4
    assert "The bridge is up." in capsys.readouterr().err


def test_a_defect_is_called_one(capsys: pytest.CaptureFixture[str]) -> None:
    """What nobody expected comes with its traceback and a request to report it."""
    assert report(raised(KeyError("x")), []) == 1

    shown = capsys.readouterr().err
    assert "That is a defect in Podium: KeyError" in shown
    assert "Traceback (most recent call last)" in shown


def test_help_imports_neither_pydantic_nor_rich_nor_the_bus() -> None:
    """What makes `podium --help` quick is what it does not import."""
    script = (
        "import sys; sys.argv = ['podium', '--help']\n"
        "from orchestrator.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('pydantic', 'rich', 'nats', 'anyio', 'click', 'mcp') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert shown.startswith("Usage: podium")
    assert shown.splitlines()[-1] == "[]"


def test_a_command_does_not_bring_in_the_others_either() -> None:
    """Usage errors and `--help` of a command need click only."""
    script = (
        "import sys\nfrom click.testing import CliRunner\nfrom orchestrator.cli.commands import podium\n"
        "assert CliRunner().invoke(podium, ['completion', '--help']).exit_code == 0\n"
        "print([name for name in ('pydantic', 'rich', 'nats', 'mcp') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert shown.strip() == "[]"


@pytest.mark.parametrize("words", [("--host", "Claude Desktop"), ("--only", "repository,Test Runner")])
def test_a_gateway_takes_only_names_that_there_can_be(words: tuple[str, str]) -> None:
    """Wrong usage, said before anything starts."""
    done = CliRunner().invoke(podium, ["mcp", *words])
    assert (done.exit_code, f"Invalid value for '{words[0]}'" in done.output) == (2, True)


def test_installing_into_a_host_does_not_wait_for_the_sdk() -> None:
    """`podium mcp install` edits a file; the SDK, which takes seconds to import, is for serving."""
    script = (
        "import sys\nfrom click.testing import CliRunner\nfrom orchestrator.cli.commands import podium\n"
        "assert CliRunner().invoke(podium, ['mcp', 'install', '--help']).exit_code == 0\n"
        "print('mcp' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert shown.strip() == "False"


def test_a_reader_that_goes_away_is_no_error() -> None:
    """`podium --help | head -0` ends without a traceback."""
    script = "from orchestrator.cli.main import main; main(['--help'])"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        shown = process.stderr.read()

    assert (process.returncode, shown) == (0, b"")


def test_a_reader_that_goes_away_in_the_middle_is_none_either(tmp_path: Path) -> None:
    """`podium doctor | head -1`: what has been started is put away, and nothing is said."""
    podium = Podium(tmp_path / "state")
    with podium.begin("doctor") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        shown = process.stderr.read()

    assert (process.returncode, shown) == (0, "")
    podium("down")
