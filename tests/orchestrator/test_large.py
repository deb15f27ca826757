"""A diff of 30 MB on its way through a run, over a real broker: nothing is cut, and memory is bounded."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from bus.caller import Caller, new_call_id, open_caller
from bus.nats_bus import NatsBus
from contracts.base import utc_now
from contracts.gate import GateDecision, GateRequest
from contracts.patch import Patch
from orchestrator import gates
from orchestrator.audit import audit
from orchestrator.recording import record
from orchestrator.recording_file import load
from servers.own_ledger import BusLedger
from tests.bus.echo import Echo, EchoParams, EchoResult, served
from tests.bus.rigs import nats_rig
from tests.cli.subjects import PATCHES, proposal
from tests.peak import peak
from tests.replay.kept import save

RUN = PATCHES.run
LINE = "+{:09d} a line of a diff, about as long as such lines are, give or take\n"


def large(size: int) -> str:
    """Text of about `size` bytes without two equal lines."""
    return "".join(map(LINE.format, range(size // len(LINE.format(0)))))


def question(diff: str) -> GateRequest:
    patch = Patch.of(diff, ("shop.py",))
    best = proposal("a <= b\n").model_copy(update={"patch": patch})
    subject = PATCHES.model_copy(update={"proposals": (best,)})
    now = utc_now()
    return GateRequest(
        run=RUN,
        gate="patches-1",
        subject_sha256=subject.digest(),
        subject=subject,
        opened_at=now,
        expires_at=now + timedelta(days=1),
    )


async def say(caller: Caller, text: str) -> EchoResult:
    return await caller.call("echo", "say", EchoParams(text=text), EchoResult, call_id=new_call_id(), run=RUN, step="s")


async def test_a_diff_of_30_mb_goes_through_call_answer_and_gate(tmp_path: Path) -> None:
    """Both ends of the call are this process, and each holds it as text and as JSON; chunks add next to nothing."""
    diff = large(30_000_000)
    async with nats_rig(tmp_path) as rig, rig.connect("echo") as server, rig.connect("orchestrator") as bus:
        async with open_caller(bus) as caller, served(server, Echo()):
            await say(caller, "first")
            with peak() as calling:
                result = await say(caller, diff)
            assert result.text == diff
            del result

            request = question(diff)
            with peak() as asking:
                await gates.put(bus, request)
                await gates.put(bus, request)  # as a run does that is resumed there
                kept = await bus.last("LEDGER_runs", f"gate.{RUN}.patches-1.request")
            assert kept is not None
            assert GateRequest.model_validate_json(kept.body) == request
            approval = GateDecision(
                run=RUN,
                gate="patches-1",
                subject_sha256=request.subject_sha256,
                verdict="approve",
                by="ada",
                via="terminal",
                at=utc_now(),
            )
            await gates.decide(bus, request, approval)
    assert calling.grown_bytes < 12 * len(diff)
    assert asking.grown_bytes < 8 * len(diff)


async def test_large_bodies_are_kept_and_read_one_at_a_time(tmp_path: Path) -> None:
    """To keep one takes a few chunks beyond it; to read many takes no more than to read a few."""
    body = large(10_000_000).encode()
    async with nats_rig(tmp_path) as rig, rig.connect("orchestrator") as bus:
        assert isinstance(bus, NatsBus)
        await bus.store("run.r-aaaa.small", body[: 4 << 20])  # the client's own buffers are made once
        with peak() as keeping:
            for number in range(8):
                await bus.store(f"run.r-aaaa.e{number}", body)
        with peak() as reading:
            sizes = [len(kept.body) async for kept in bus.history("LEDGER_runs", "run.r-aaaa.*")]
    assert sizes == [4 << 20, *[len(body)] * 8]
    assert keeping.grown_bytes < len(body)
    assert reading.grown_bytes < 5 * len(body)


async def test_whoever_reads_the_ledger_reads_large_messages_as_any_other(tmp_path: Path) -> None:
    """The audit, a run's recording and its file, and what a server has answered itself."""
    diff = large(3_000_000)
    async with nats_rig(tmp_path) as rig, rig.connect("echo") as server, rig.connect("orchestrator") as bus:
        async with open_caller(bus) as caller, served(server, Echo()):
            result = await say(caller, diff)
            await gates.put(bus, question(diff))

        (found,) = (await audit(bus, ["echo"], RUN)).calls
        assert (found.outcome, found.sealed, found.params_sha256) == ("ok", True, EchoParams(text=diff).digest())
        assert found.result_sha256 == result.digest()

        assert [(caller, said["text"] == diff) async for caller, said in BusLedger(server).own_results()] == [
            ("orchestrator", True)
        ]

        recording = await record(bus, RUN, ["echo"])
        assert [(kept.stream, len(kept.body) > len(diff)) for kept in recording.messages] == [
            ("LEDGER_runs", True),
            ("LEDGER_echo", True),
            ("LEDGER_echo", True),
        ]
        save(recording, tmp_path / "run.jsonl")
        again = load(tmp_path / "run.jsonl")
        assert (await audit(again.bus(), ["echo"], RUN)).calls == (found.model_copy(update={"seq": 1}),)
