"""Fill the disk of a broker that Podium does not run, in the middle of a run; make room, and go on with it.

    python -m tests.fulldisk

Needs a kernel that lets us mount a disk of our own. Ends with 1 if the run did not stop, or could not be finished.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import click

from bus.broker import find_server
from tests.cli.conftest import make_project
from tests.e2e.rig import adopting, fixing, going
from tests.namespaces import small_disk
from tests.theirs import Attached, Broker

DISK_BYTES = 60 << 20


def main() -> int:
    """Be the command; its exit status."""
    with adopting(), tempfile.TemporaryDirectory(prefix="podium-fulldisk-") as name:
        folder = Path(name)
        podium = Attached(folder / "state")
        broker = Broker(folder / "broker", podium("broker-config").out)
        podium.url = broker.url
        with small_disk(broker.store, DISK_BYTES) as disk:
            if disk is None:
                click.echo("this kernel lets nobody mount a disk here", err=True)
                return 1
            server = disk.command(find_server())
            broker.exchange(*server)
            try:
                with going(podium, *fixing(make_project(folder / "project"), "--auto", "all")) as run:
                    run.until("✓ See the test fail")
                    disk.fill()
                    full_at = time.monotonic()
                    stopped = run.end()
                click.echo(f"stopped after {time.monotonic() - full_at:.0f} s, exit code {stopped.code}:")
                click.echo("\n".join(stopped.err.strip().splitlines()[-2:]))
                podium("down")
                disk.free()
                broker.exchange(*server)
                done = podium("resume", "last", "--json")
                click.echo(f"with room again and the broker started anew, resume ends with {done.code}")
            finally:
                podium("down")
                broker.exchange()
    return 0 if (stopped.code, done.code) == (1, 0) else 1


if __name__ == "__main__":
    sys.exit(main())
