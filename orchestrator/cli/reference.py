"""The command reference, made from the commands."""

from __future__ import annotations

from collections.abc import Iterator

import click

from orchestrator.cli.commands import podium

WIDTH = 80
"""Columns of the texts that are kept in files."""

INTRODUCTION = """\
# Commands

Written by `make docs` from the commands themselves; a test compares the two.

| exit code | meaning |
| --- | --- |
| 0 | done; for `run` and `resume`: handed over |
| 1 | could not, and the reason is said |
| 2 | the command line makes no sense |
| 3 | a gate waits for a decision |
| 4 | aborted or rejected |
| 5 | it could have cost more than its budget |
| 130 | interrupted (Ctrl-C); a run can be resumed |

`--json` prints exactly one JSON document on standard output; everything else goes to standard error.
`RUN` is a run's name, any unambiguous beginning of it, or `last`.

| environment variable | meaning |
| --- | --- |
| `PODIUM_STATE_DIR` | where ledger, keys and runs are kept (default: the user's state directory) |
| `PODIUM_ENV` | which environment this is, apart from all others; without it there is one |
| `PODIUM_NATS_URL` | attach to this NATS server, or to these of one cluster, instead of starting one |
| `OTEL_EXPORTER_OTLP_ENDPOINT` | the OpenTelemetry collector that gets each run's trace; needs `podium[otel]` |
| `NO_COLOR` | no colours |
| `VISUAL`, `EDITOR` | what `[e]dit` at a gate opens |
"""


def help_text(command: click.Command = podium, name: str = "podium") -> str:
    """What `--help` prints at 80 columns."""
    context = click.Context(command, info_name=name, terminal_width=WIDTH, help_option_names=["-h", "--help"])
    return command.get_help(context) + "\n"


def reference() -> str:
    """`docs/cli.md`."""
    return INTRODUCTION + "".join(
        f"\n## {name}\n\n```text\n{help_text(command, name).rstrip()}\n```\n"
        for name, command in walk(podium, "podium")
    )


def walk(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """The command and everything below it, depth first, with full names."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name)
        for sub in command.list_commands(context):
            found = command.get_command(context, sub)
            assert found is not None
            yield from walk(found, f"{name} {sub}")
