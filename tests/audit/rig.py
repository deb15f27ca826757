"""A ledger on a real broker, signed by a notary: recorded runs, as if these identities had made them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from bus.bus import Bus
from bus.connect import identities
from bus.envelope import sender
from bus.grants import Grant
from bus.identity import Identity, load_identity
from bus.notary import Notary
from orchestrator import proof
from orchestrator.recording import Recording, record
from tests.bus.rigs import NatsRig, nats_rig

SERVERS = ("repository", "workspace", "code_writer", "test_runner", "static_analyzer", "model")
CREW = (
    Grant("operator", operates=True),
    Grant("orchestrator", calls=tuple(f"{server}.*" for server in SERVERS), decides_runs=True, decides_gates=True),
    Grant("person", decides_gates=True),
    Grant("auditor", reads_ledger=SERVERS, reads_all=True),
    Grant("notary", reads_all=True, notarizes=True),
    *(
        Grant(server, serves=True, calls=tuple(f"{other}.*" for other in SERVERS if other != server))
        for server in SERVERS
    ),
)


@dataclass
class Ledger:
    """The broker, and connections by identity."""

    rig: NatsRig
    buses: dict[str, Bus]

    @property
    def file(self) -> Path:
        """Where the notary keeps its newest checkpoint."""
        return self.rig.state / "newest.json"

    def identity(self, name: str) -> Identity:
        return load_identity(identities(self.rig.state), name)

    async def notary(self, bus: Bus | None = None, file: Path | None = None) -> Notary:
        """One that has taken up its work."""
        keys = {"public": self.identity("notary").public, "operator": self.identity("operator").public}
        notary = Notary(bus or self.buses["notary"], file or self.file, **keys)
        await notary.take_up()
        return notary

    async def keep(self, notary: Notary, *recordings: Recording, every: int = 7) -> None:
        """Store the messages of recorded runs, of all by turns, and sign after `every` so many."""
        ordered = [sorted(each.messages, key=lambda kept: kept.stored_at) for each in recordings]
        by_turns = (kept for turn in zip_longest(*ordered) for kept in turn if kept is not None)
        for n, kept in enumerate(by_turns, 1):
            await self.buses[sender(kept.headers)].store(kept.subject, kept.body)
            if n % every == 0:
                await notary.round()
        await notary.round()

    async def recording(self, run: str) -> Recording:
        return await record(self.buses["auditor"], run, SERVERS)

    async def file_of(self, run: str) -> list[str]:
        """What `podium audit export --run` writes."""
        kept = await self.recording(run)
        return await self._lines(await proof.signed_run(self.buses["auditor"], kept), kept)

    async def whole_file(self, after: int = 0) -> list[str]:
        """What `podium audit export` writes."""
        return await self._lines(await proof.signed_ledger(self.buses["auditor"], after), None)

    async def _lines(self, span: proof.Span, kept: Recording | None) -> list[str]:
        key = self.identity("notary").public
        return [line async for line in proof.lines(self.buses["auditor"], span, kept, key)]


@asynccontextmanager
async def connected(rig: NatsRig, names: Sequence[str] = tuple(grant.name for grant in CREW)) -> AsyncGenerator[Ledger]:
    """Everybody's connection."""
    async with AsyncExitStack() as opened:
        yield Ledger(rig, {name: await opened.enter_async_context(rig.connect(name)) for name in names})


@asynccontextmanager
async def ledger(state: Path) -> AsyncGenerator[Ledger]:
    """A ledger that holds nothing yet."""
    async with nats_rig(state, CREW) as rig, connected(rig) as found:
        yield found
