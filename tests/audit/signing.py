"""A notary as a process that can be killed: `python -m tests.audit.signing STATE URL OPERATORS_KEY`."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio

from bus.connect import connect, identities
from bus.errors import Overtaken
from bus.identity import load_identity
from bus.notary import Notary


async def sign(state: Path, url: str, operator: str) -> None:
    """Round after round."""
    async with connect(state, url, "notary") as bus:
        public = load_identity(identities(state), "notary").public
        notary = Notary(bus, state / "newest.json", public=public, operator=operator)
        await notary.take_up()
        while True:
            try:
                await notary.round()
            except Overtaken:
                await notary.take_up()


if __name__ == "__main__":
    anyio.run(sign, Path(sys.argv[1]), sys.argv[2], sys.argv[3])
