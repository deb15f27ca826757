"""What a house is told when it is started."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from contracts.consent import consented
from servers.crew import CREW_FILE


def house_options(about: str | None) -> argparse.Namespace:
    """What this process was started with."""
    parser = argparse.ArgumentParser(prog="servers.house_process", description=about)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--crew", type=Path, default=CREW_FILE)
    parser.add_argument("--own-crew", type=Path, help="a person's own crew file, which goes over the other one")
    parser.add_argument("--keep", action="store_true", help="stay until told to go down")
    parser.add_argument("--unsandboxed", action="store_true", help="run jobs without confinement where none can be had")
    parser.add_argument(
        "--consent-weak",
        action="store_true",
        default=consented(os.environ),
        help="start members that the kernel cannot hold",
    )
    parser.add_argument("--keys-fd", type=int, default=-1, help="file with the keys of model endpoints, as JSON")
    parser.add_argument("--durability", choices=("process", "disk"), default="process")
    parser.add_argument("--cluster", type=int, default=0, help="how many brokers keep the ledger; 0: as it is kept")
    return parser.parse_args()
