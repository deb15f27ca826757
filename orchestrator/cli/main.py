"""The entry point: what every command does with errors, signals and a closed pipe.

Nothing heavy is imported here. `podium --help` is asked for more often than anything else, and click
alone takes four times as long to import as Python takes to start; so the text of the plain `--help`
lies ready in `help.txt` (`make docs` writes it, a test compares it with click's own).
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run `podium`; ends the process with its exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    signal.signal(signal.SIGTERM, _interrupt)
    _buffer_output()
    try:
        code = _help() if args in (["--help"], ["-h"], []) else _run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read us has gone (`podium runs | head`): nothing is wrong, and there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def _buffer_output() -> None:
    """Undo PYTHONUNBUFFERED, under which Python drops the rest of a write that a signal cut short."""
    if isinstance(sys.stdout.buffer, io.RawIOBase):
        sys.stdout = open(1, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors, closefd=False)  # noqa: SIM115 - it stays


def _help() -> int:
    from pathlib import Path

    print(Path(__file__).with_name("help.txt").read_text(encoding="utf-8"), end="")  # noqa: T201 - click is not here yet
    return 0


def _run(args: list[str]) -> int:
    import click

    from orchestrator.cli.commands import podium

    try:
        code = podium.main(args=args, prog_name="podium", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:
        from orchestrator.cli.trouble import report

        return report(error, args)
    return code if isinstance(code, int) else 0


def _interrupt(signum: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
