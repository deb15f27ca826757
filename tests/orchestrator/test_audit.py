"""The audit: what is on the ledger is listed, whoever wrote it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import anyio

from bus.caller import new_call_id, open_caller
from bus.identity import Identity, Signer, new_identity
from bus.memory import MemoryBus
from bus.subjects import CallSubject
from orchestrator.audit import audit
from tests.bus.echo import Echo, EchoParams, EchoResult, served
from tests.bus.rigs import MemoryRig


@dataclass(frozen=True)
class _Denier(Identity):
    """An identity that wants to be able to deny its calls: what it signs with is not its key."""

    def signer(self) -> Signer:
        true, other = super().signer(), new_identity("other").signer()
        true.sign = other.sign
        return true


async def test_a_call_whose_signature_does_not_hold_is_listed_as_such() -> None:
    """Its MAC had it executed, so it may not vanish from the audit, nor be taken for a sealed one."""
    rig = MemoryRig()
    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus, served(server, Echo()):
        async with open_caller(bus) as caller:
            await caller.call("echo", "say", EchoParams(text="a"), EchoResult, call_id=(honest := new_call_id()))
        known = rig.broker.identities["orchestrator"]
        async with open_caller(MemoryBus(rig.broker, _Denier(known.name, known.seed))) as caller:
            await caller.call("echo", "say", EchoParams(text="b"), EchoResult, call_id=(denied := new_call_id()))
        found = await audit(bus, ["echo"])
    assert [(each.call_id, each.sealed, each.outcome) for each in found.calls] == [
        (honest, True, "ok"),
        (denied, False, "ok"),
    ]
    assert found.foreign == 0


async def test_what_nobody_answered_and_nobody_sealed_is_counted() -> None:
    """A message under somebody else's name that no server took is no call, and is not passed over in silence."""
    rig = MemoryRig()
    async with rig.connect("meddler") as meddler, rig.connect("orchestrator") as bus:
        await meddler.store(str(CallSubject("echo", "say", "orchestrator", new_call_id())), b"{}")
        with anyio.fail_after(10):
            found = await audit(bus, ["echo"])
    assert (found.calls, found.foreign) == ((), 1)


async def test_a_call_under_an_odd_id_is_listed() -> None:
    """Ids are the caller's choice; one that is not of our form takes nobody's audit away."""
    rig = MemoryRig()
    async with rig.connect("meddler") as meddler, rig.connect("orchestrator") as bus:
        await meddler.store(str(CallSubject("echo", "say", "meddler", "x")), b"{}")
        found = await audit(bus, ["echo"])
    assert [(each.call_id, each.caller, each.outcome) for each in found.calls] == [("x", "meddler", "open")]


async def test_what_stands_twice_counts_once() -> None:
    """A call or an answer that was copied, seal and all, is foreign; so is an answer to no call."""
    rig = MemoryRig()
    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus, served(server, Echo()):
        async with open_caller(bus) as caller:
            await caller.call("echo", "say", EchoParams(text="a"), EchoResult, call_id=(made := new_call_id()))
        stream = rig.broker.streams["LEDGER_echo"]
        stream += [replace(kept, seq=kept.seq + 2) for kept in stream]
        await server.store(CallSubject("echo", "say", "orchestrator", new_call_id()).result, b"{}")
        found = await audit(bus, ["echo"])
    assert [(each.call_id, each.outcome) for each in found.calls] == [(made, "ok")]
    assert found.foreign == 3
