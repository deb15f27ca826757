"""`python -m tests.conformance`: our conformance server, reached directly; or `-- COMMAND` that serves something else.

COMMAND runs until it is stopped and prints its address once it listens.
"""

from __future__ import annotations

import sys

import click

from tests.conformance.results import PASSED, TOLD
from tests.conformance.suite import REVISIONS, run_suite, serving

DIRECTLY = (sys.executable, "-m", "tests.conformance.server", "--http", "0")


def _report(command: tuple[str, ...]) -> int:
    failed = 0
    with serving(command) as url:
        for revision in REVISIONS:
            results = run_suite(url, revision)
            failed += results.failed
            click.echo(f"{revision}: {results.passed} passed, {results.failed} failed")
            for check in results.checks:
                if check.status not in (PASSED, TOLD):
                    click.echo(f"  {check}")
    return failed


@click.command()
@click.argument("command", nargs=-1)
def main(command: tuple[str, ...]) -> None:
    """Score a server with the official conformance suite, at both eras of the protocol."""
    sys.exit(min(1, _report(command or DIRECTLY)))


if __name__ == "__main__":
    main()
