"""Has the enemy try everything, and looks from outside at what came of it: in the crew, on the ledger, on the disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bus.errors import CallFailed, InvalidMessage
from bus.provision import ask_jetstream
from bus.registry import cards
from contracts.ledger import GRANTS_BUCKET, ROSTER_BUCKET, RUNS_STREAM
from contracts.repository import ListParams, ListResult
from orchestrator.seals import Seals
from tests.bridge.rig import as_identity
from tests.cli.conftest import wait_for_end
from tests.hostile.attempts import ANSWERS, EVERY_ATTEMPT, OUTLIVE, RUN, RUNS, Attempt
from tests.hostile.enemy import TryResult
from tests.hostile.house import Attacked, attacked

GAINED, PROVES_NOTHING, MISSING = "GAINED", "PROVES NOTHING", "MISSING"
OPEN = "open (known): no Landlock"

_SEEN_AFTERWARDS = ("nobody: it may", "the seal", "the account", "the contract")
"""It is let do what these hold; that nobody goes by it is seen in what stands afterwards."""

_HELD_BY_LANDLOCK = frozenset({"files", "machine"})


@dataclass(frozen=True)
class Row:
    """What came of one attempt."""

    at: str
    attempt: str
    held: str
    """By whom; `GAINED` if by nobody; `PROVES_NOTHING` where the means did not work at all."""
    audit: str
    """As what it stands there; `MISSING` if it should and does not."""
    told: str = ""

    @property
    def bad(self) -> bool:
        """Whether somebody has to look."""
        return self.held in (GAINED, PROVES_NOTHING) or self.audit == MISSING


async def attack(folder: Path) -> list[Row]:
    """What came of every attempt, on a house of its own in `folder`."""
    async with attacked(folder) as house:
        crew, kept = await _crew(house), await _kept(house)
        held = "landlock" in house.card.confinement  # where it is not, nothing is broken that shows what else holds
        attempts = [attempt for attempt in EVERY_ATTEMPT if held or attempt.means not in ("write", "remove")]
        tried = [(attempt, await house.tried(attempt)) for attempt in attempts]
        rows = [await _answered(house, name, body) for name, body in ANSWERS.items()]
        left = await house.tried(OUTLIVE)
        wanted = {house.denied(attempt) for attempt, _ in tried if attempt.record == "a denial"}
        audited = {record.tool for record in await house.denials(wanted)}
        rows += [Row(a.at, a.name, _held(house, a, r), _audit(house, a, audited), r.told) for a, r in tried]
        rows += await _afterwards(house, crew, kept)
    ended = left.done and wait_for_end(int(left.told))
    return [*rows, Row(OUTLIVE.at, OUTLIVE.name, OUTLIVE.holder if ended else GAINED, OUTLIVE.record, left.told)]


def _held(house: Attacked, attempt: Attempt, result: TryResult) -> str:
    if attempt.holder in _SEEN_AFTERWARDS:
        return attempt.holder if result.done else PROVES_NOTHING
    if not result.done:
        # Of other holders, the audit has it; what these say has to be a refusal, and no failure of the means.
        silent = attempt.holder in ("the kernel", "the stream", "its peer", "nobody has it")
        return PROVES_NOTHING if silent and not result.told.startswith("PermissionError") else attempt.holder
    return OPEN if attempt.at in _HELD_BY_LANDLOCK and "landlock" not in house.card.confinement else GAINED


def _audit(house: Attacked, attempt: Attempt, audited: set[str]) -> str:
    return MISSING if attempt.record == "a denial" and house.denied(attempt) not in audited else attempt.record


async def _answered(house: Attacked, name: str, body: str) -> Row:
    try:
        text = (await house.answered(body)).text
        held, told = (PROVES_NOTHING if text == "honest" else "the contract"), repr(text)
    except (CallFailed, InvalidMessage) as failed:
        held, told = "the contract", str(failed)
    except Exception as broken:
        held, told = GAINED, f"its caller broke: {broken!r}"
    return Row("callers", f"answer with {name}", held, "a call", told)


async def _afterwards(house: Attacked, crew: dict[str, str], kept: dict[str, object]) -> list[Row]:
    """What stands after all that."""
    params = ListParams(run="r-none")
    try:
        honest = bool(await house.ask("repository", "list", params, ListResult, str(house.facts["victim"])))
    except CallFailed as failed:
        honest = failed.failure.kind == "not_found"  # as the repository says itself
    untouched = (house.checkout / "README").read_text() == "Mine.\n"
    plain, counted = await house.verified(foreign=False), await house.verified(foreign=True)
    signed = counted["verified"] and not plain["verified"] and "not sealed" in plain["why"]
    found = {
        "the crew is as it was": (await _crew(house) == crew, ""),
        "keys, grants, streams and consumers are as they were": (await _kept(house) == kept, ""),
        "a peer answers its calls itself": (honest, ""),
        "what a peer refused it is on the ledger as that": (await _refused(house), ""),
        "the checkout is as it was": (untouched and not (house.checkout / ".git/hooks/post-checkout").exists(), ""),
        "what counts as approved is what a person approved": (await _approved(house), ""),
        "the ledger is signed, and what nobody sealed is named": (signed, str(counted)),
    }
    return [Row("afterwards", name, "so it is" if so else GAINED, "a call", told) for name, (so, told) in found.items()]


async def _refused(house: Attacked) -> bool:
    denied = [
        call for call in await house.calls_of_the_enemy() if (call.server, call.outcome) == ("repository", "denied")
    ]
    return len(denied) == len(RUNS) and all(call.failure and call.sealed for call in denied)


async def _crew(house: Attacked) -> dict[str, str]:
    """What each server is and offers."""
    async with as_identity(house.podium, "auditor") as (bus, _):
        return {f"{card.manifest.name} {card.instance}": card.tools_sha256 for card in await cards(bus)}


async def _kept(house: Attacked) -> dict[str, object]:
    """Whose key is whose, who may call what, and what JetStream was told to keep, and for whom."""
    async with as_identity(house.podium, "operator") as (bus, _):
        found = dict[str, object]()
        for bucket in (ROSTER_BUCKET, GRANTS_BUCKET):
            found |= {kept.subject: kept.body for kept in (await bus.entries(bucket)).values()}
        for stream in (await ask_jetstream(bus, "STREAM.LIST", {}))["streams"]:
            name = stream["config"]["name"]
            consumers = await ask_jetstream(bus, f"CONSUMER.NAMES.{name}", {})
            found[name] = (stream["config"], sorted(consumers["consumers"]))
        return found


async def _approved(house: Attacked) -> bool:
    async with as_identity(house.podium, "auditor") as (bus, _):
        seals = Seals(bus)
        by = {
            kept.subject.split(".")[2]: await seals.sealed_by(kept)
            async for kept in bus.history(RUNS_STREAM, f"gate.{RUN}.*.decision")
        }
    return by == {"plan": "person", "handoff": ""}
