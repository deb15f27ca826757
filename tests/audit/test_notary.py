"""The notary, on a real broker: what it signs, killed or raced; and what the broker's administrator cannot hide."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from pydantic_core import to_json

from bus.bus import Bus, Message, Stored
from bus.errors import Overtaken, StoreRefused
from bus.lives import Lives
from bus.notary import read, write
from bus.provision import provision
from bus.roster import LiveRoster
from bus.subjects import CallSubject
from contracts.base import sha256
from contracts.checkpoint import Checkpoint
from contracts.ledger import CHECKPOINT, ENDINGS, NOTARY_STREAM, RUNS_STREAM, server_stream
from contracts.run import Ending
from orchestrator.proof import RolledBack, signed_ledger
from orchestrator.standalone.verify_ledger import verify
from tests.audit.rig import CREW, Ledger, connected, ledger
from tests.bus.rigs import nats_rig

RUN = "r-audited"


async def say(made: Ledger, *numbers: int) -> None:
    """Something of a run; what it is does not matter to the notary."""
    for n in numbers:
        await made.buses["orchestrator"].store(f"run.{RUN}.step-started", json.dumps({"n": n}).encode())


async def verdict(made: Ledger, after: int = 0) -> dict[str, Any]:
    return verify(await made.whole_file(after), made.identity("notary").public)


async def checkpoints(made: Ledger) -> list[Checkpoint]:
    history = made.buses["auditor"].history(NOTARY_STREAM)
    return [Checkpoint.model_validate_json(kept.body) async for kept in history]


async def stored(made: Ledger, stream: str = RUNS_STREAM) -> list[Stored]:
    return [kept async for kept in made.buses["auditor"].history(stream)]


async def rebuilt(operator: Bus, stream: str, messages: list[Stored]) -> None:
    """What an administrator can do: another stream of that name, with whatever messages they like in it."""
    info = json.loads((await operator.request(f"{operator.control}.API.STREAM.INFO.{stream}", b"")).body)
    for verb, body in (("DELETE", b""), ("CREATE", json.dumps(info["config"]).encode())):
        answer = json.loads((await operator.request(f"{operator.control}.API.STREAM.{verb}.{stream}", body)).body)
        assert "error" not in answer, answer
    for kept in messages:
        headers = {name: said for name, said in kept.headers.items() if not name.startswith("Nats-Expected")}
        answer = await operator.request(kept.subject, kept.body, headers)
        assert "error" not in json.loads(answer.body), answer


async def test_it_signs_news_once_and_nothing_where_there_is_none(tmp_path: Path) -> None:
    """Checkpoints follow each other; the newest lies outside the store as well."""
    async with ledger(tmp_path) as made:
        notary = await made.notary()
        await notary.round()
        assert await checkpoints(made) == []
        for n in (1, 2):
            await say(made, n)
            await notary.round()
            await notary.round()
        one, two = await checkpoints(made)
        assert (one.number, one.previous, two.number, two.previous) == (1, None, 2, one.digest())
        assert read(made.file) == two
        assert two.roster == {grant.name: made.identity(grant.name).public for grant in CREW}
        assert (await verdict(made))["verified"]
        for n in (3, 4):
            await say(made, n)
            await (await made.notary()).round()
        assert (await verdict(made))["messages"] == 4
        assert (await verdict(made, after=2))["messages"] == 2


async def test_what_a_server_notes_of_its_calls_is_signed_and_verified(tmp_path: Path) -> None:
    """That one begins anew, and after how many deaths; the broker lets no other write it."""
    async with ledger(tmp_path) as made:
        bus = made.buses["repository"]
        await Lives(bus, LiveRoster(bus)).begin(CallSubject("repository", "read", "orchestrator", "0" * 32), 2)
        await (await made.notary()).round()
        found = await verdict(made)
        assert (found["verified"], found["messages"]) == (True, 1), found


async def test_only_the_notary_writes_checkpoints(tmp_path: Path) -> None:
    """Not a member, a person, the orchestrator or the auditor; and whoever reads all may change nothing."""
    async with ledger(tmp_path) as made:
        for name in ("orchestrator", "person", "auditor", "repository"):
            for subject in (CHECKPOINT, "notary.x"):
                with pytest.raises(StoreRefused, match="does not permit"):
                    await made.buses[name].store(subject, b"{}")
        with pytest.raises(StoreRefused, match="does not permit"):
            await made.buses["notary"].store(f"run.{RUN}.started", b"{}")
        for name in ("notary", "auditor"):
            with pytest.raises(StoreRefused):
                await made.buses[name].request(f"$JS.API.STREAM.PURGE.{RUNS_STREAM}", b"", timeout_s=0.5)


def test_a_run_ends_with_what_the_notary_listens_for() -> None:
    """It signs at once when one of these is stored."""
    assert {kind.model_fields["event"].default for kind in Ending.__args__} == set(ENDINGS)  # pyright: ignore


async def test_of_two_notaries_one_goes_on_from_what_the_other_signed(tmp_path: Path) -> None:
    """There is one chain, whoever is first."""
    async with ledger(tmp_path) as made, made.rig.connect("notary") as second:
        one, two = await made.notary(), await made.notary(second, made.rig.state / "second.json")
        raced = 0
        for n in range(12):
            await say(made, n)
            done = list[bool]()

            async def sign(notary: Any, done: list[bool] = done) -> None:
                try:
                    await notary.round()
                    done.append(True)
                except Overtaken:
                    done.append(False)
                    await notary.take_up()

            async with anyio.create_task_group() as tasks:
                for notary in (one, two):
                    tasks.start_soon(sign, notary)
            raced += done.count(False)
            assert True in done
        assert raced
        found = await verdict(made)
        assert (found["verified"], found["messages"]) == (True, 12), found


async def test_killed_at_any_moment_it_signs_on(tmp_path: Path) -> None:
    """kill -9 in the middle of its work, again and again."""
    async with ledger(tmp_path) as made, anyio.create_task_group() as tasks:
        heard = anyio.Event()

        async def hear(message: Message) -> None:
            heard.set()

        async def talk() -> None:
            for n in range(10**6):
                await say(made, n)

        tasks.start_soon(talk)
        for _ in range(3):
            heard = anyio.Event()
            async with made.buses["operator"].listen(CHECKPOINT, hear):
                words = (str(tmp_path), made.rig.broker.url, made.identity("operator").public)
                process = await anyio.open_process([sys.executable, "-m", "tests.audit.signing", *words])
                with anyio.fail_after(60):
                    await heard.wait()
                process.kill()
                assert await process.wait() == -signal.SIGKILL
        tasks.cancel_scope.cancel()
    async with nats_rig(tmp_path, CREW) as rig, connected(rig) as made:
        await (await made.notary()).round()
        found = await verdict(made)
        assert found["verified"], found
        assert found["checkpoints"] >= 4
        assert found["messages"] == len(await stored(made))


@pytest.mark.parametrize("what", ["drop", "change", "insert", "reorder", "truncate"])
async def test_a_stream_that_its_administrator_rewrote_is_found_out(tmp_path: Path, what: str) -> None:
    """Whatever was done to it: all seals hold, and the chain does not."""
    async with ledger(tmp_path) as made:
        notary = await made.notary()
        for n in (1, 2, 3):
            await say(made, 2 * n, 2 * n + 1)
            await notary.round()
        messages = await stored(made)
        match what:
            case "drop":
                del messages[2]
            case "change":
                messages[2] = messages[3]
            case "insert":
                messages.insert(2, messages[0])
            case "reorder":
                messages[2:4] = reversed(messages[2:4])
            case _:
                del messages[4:]
        await rebuilt(made.buses["operator"], RUNS_STREAM, messages)
        found = await verdict(made)
        assert not found["verified"]
        assert found["record"].startswith(RUNS_STREAM), found


async def test_a_store_that_was_rolled_back_is_found_out(tmp_path: Path) -> None:
    """What lies outside the store knows better; and the notary, which goes on, signs that something is missing."""
    async with ledger(tmp_path) as made:
        await say(made, 1, 2)
        await (await made.notary()).round()
    shutil.copytree(tmp_path / "broker", tmp_path / "old")
    async with nats_rig(tmp_path, CREW) as rig, connected(rig) as made:
        await say(made, 3, 4)
        await (await made.notary()).round()
        known = read(made.file)
    shutil.rmtree(tmp_path / "broker")
    os.rename(tmp_path / "old", tmp_path / "broker")
    async with nats_rig(tmp_path, CREW) as rig, connected(rig) as made:
        with pytest.raises(RolledBack, match="checkpoint 2 was signed and is not in the store"):
            await signed_ledger(made.buses["auditor"], known=known)
        await say(made, 5)
        await (await made.notary()).round()
        found = await verdict(made)
        assert (found["verified"], found["record"]) == (False, "checkpoint 3")
        assert "checkpoint 2 was signed, and the store holds checkpoint 1" in found["why"]
        await say(made, 6)
        await (await made.notary()).round()
        assert (await verdict(made, after=3))["verified"], "from there on"


async def test_a_stream_that_lost_its_end_or_is_gone_is_found_out(tmp_path: Path) -> None:
    """By a notary that starts as by one that is at work; the next checkpoint says so."""
    async with ledger(tmp_path) as made:
        await say(made, 1, 2, 3)
        notary = await made.notary()
        await notary.round()
        await rebuilt(made.buses["operator"], RUNS_STREAM, (await stored(made))[:2])
        await (await made.notary()).round()
        assert (await checkpoints(made))[-1].breaches == (
            "LEDGER_runs was signed to message 3: that message is not there",
        )
        api = f"{made.buses['operator'].control}.API"
        await made.buses["operator"].request(f"{api}.STREAM.DELETE.{server_stream('model')}", b"")
        notary = await made.notary()
        await notary.round()
        assert not (await checkpoints(made))[-1].breaches, "nothing was signed of that one"
        await made.buses["operator"].request(f"{api}.STREAM.DELETE.{RUNS_STREAM}", b"")
        await notary.round()
        assert "the stream is not there" in (await checkpoints(made))[-1].breaches[0]


class Lagging:
    """A bus whose replicas have not heard of some messages yet."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.pause_s = 60.0
        self.unheard: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    async def history(self, stream: str, subject: str = ">", **wanted: Any) -> AsyncGenerator[Stored]:
        async with aclosing(self._bus.history(stream, subject, **wanted)) as history:
            async for kept in history:
                if stream != RUNS_STREAM or kept.seq not in self.unheard:
                    yield kept


async def test_a_gap_that_closes_is_none_and_the_next_one_is_waited_for_as_long(tmp_path: Path) -> None:
    """A replica that lags has lost nothing, however often it does."""
    async with ledger(tmp_path) as made:
        lagging = Lagging(made.buses["notary"])
        notary = await made.notary(cast(Bus, lagging))
        await say(made, 1, 2, 3)
        lagging.unheard = {2}
        await notary.round()
        waited_for = anyio.current_time()
        lagging.unheard = set()
        await notary.round()
        await say(made, 4, 5, 6)
        lagging.unheard = {5}
        lagging.pause_s = (anyio.current_time() - waited_for) / 2  # the first gap's would be over by now
        await notary.round()
        lagging.unheard = set()
        await notary.round()
        assert [one.gaps for one in await checkpoints(made)] == [()] * len(await checkpoints(made))
        assert (await verdict(made))["messages"] == 6


async def test_a_gap_is_signed_as_one(tmp_path: Path) -> None:
    """Messages that cannot be read are never passed over in silence."""
    async with ledger(tmp_path) as made:
        operator = made.buses["operator"]
        info = json.loads((await operator.request(f"{operator.control}.API.STREAM.INFO.{RUNS_STREAM}", b"")).body)
        config = {**info["config"], "deny_delete": False}
        await operator.request(f"{operator.control}.API.STREAM.DELETE.{RUNS_STREAM}", b"")
        await operator.request(f"{operator.control}.API.STREAM.CREATE.{RUNS_STREAM}", json.dumps(config).encode())
        await say(made, 1, 2, 3, 4)
        await operator.request(f"{operator.control}.API.STREAM.MSG.DELETE.{RUNS_STREAM}", b'{"seq": 2}')
        await operator.request(f"{operator.control}.API.STREAM.MSG.DELETE.{RUNS_STREAM}", b'{"seq": 3}')
        await (await made.notary()).round()
        (checkpoint,) = await checkpoints(made)
        assert [gap.model_dump() for gap in checkpoint.gaps] == [{"stream": RUNS_STREAM, "first": 2, "last": 3}]
        assert "damaged" in (await verdict(made))["why"]


async def test_a_checkpoint_that_somebody_else_wrote_is_none(tmp_path: Path) -> None:
    """The operator may publish anything, and sign nothing in the notary's name."""
    async with ledger(tmp_path) as made:
        await say(made, 1)
        await (await made.notary()).round()
        (one,) = await checkpoints(made)
        forged = one.model_copy(update={"number": 2, "previous": one.digest(), "streams": {}})
        await made.buses["operator"].store(CHECKPOINT, forged.canonical())
        found = await verdict(made)
        assert (found["verified"], found["record"]) == (False, "checkpoint 2")
        await say(made, 2)
        await (await made.notary()).round()
        assert "is not signed by this notary" in (await checkpoints(made))[-1].breaches[0]


async def test_what_is_no_checkpoint_is_passed_over(tmp_path: Path) -> None:
    """The broker's answer to a member can be stored there; it says nothing, and keeps nobody from signing."""
    async with ledger(tmp_path) as made:
        answer = b'{"stream":"LEDGER_repository","seq":7}'
        await made.buses["operator"].store(CHECKPOINT, answer)
        notary = await made.notary()
        for n in (1, 2):
            await say(made, n)
            await notary.round()
            await made.buses["operator"].store(CHECKPOINT, answer)
        await say(made, 3)
        await (await made.notary()).round()
        found = await verdict(made)
        assert (found["verified"], found["checkpoints"]) == (True, 3), found


async def test_keys_that_the_operator_did_not_publish_are_not_signed(tmp_path: Path) -> None:
    """Who administers the broker can write into any bucket, but not in the operator's name."""
    async with ledger(tmp_path) as made:
        true = made.identity("orchestrator").public
        await made.buses["operator"].store("$KV.roster.orchestrator", made.identity("person").public.encode())
        keys = {grant.name: made.identity(grant.name).public for grant in CREW}
        await say(made, 1)
        await (await made.notary()).round()
        assert (await checkpoints(made))[-1].roster["orchestrator"] != true, "the operator did so"
        await provision(made.buses["operator"], CREW, keys)
        async with made.rig.connect("operator") as operator:
            await operator.request(
                f"{operator.control}.KV.roster.orchestrator", made.identity("person").public.encode()
            )
        await say(made, 2)
        await (await made.notary()).round()
        assert "orchestrator" not in (await checkpoints(made))[-1].roster


async def test_a_damaged_file_beside_the_store_is_a_breach(tmp_path: Path) -> None:
    """Else nobody could say how far the ledger was signed, and nobody would notice."""
    async with ledger(tmp_path) as made:
        made.file.write_text("nonsense")
        await say(made, 1)
        await (await made.notary()).round()
        assert "is damaged" in (await checkpoints(made))[0].breaches[0]
        newest = (await checkpoints(made))[0]
        assert read(made.file) == newest
        write(made.file, newest)


@pytest.mark.parametrize(
    ("what", "why"),
    [("once", ""), ("twice", "used before"), ("of another", "not shown"), ("none", "no such decision")],
)
async def test_a_decision_counts_once_for_what_was_shown(tmp_path: Path, what: str, why: str) -> None:
    """Even where the orchestrator itself says otherwise, and all of it is sealed and signed."""
    async with ledger(tmp_path) as made:
        orchestrator = made.buses["orchestrator"]
        subject = to_json({"kind": "plan", "text": 'ä, "opened_at": 1', "seconds": 3.5e-05})
        shown = sha256(subject)
        about = sha256(b"another") if what == "of another" else shown
        decision = {"run": RUN, "gate": "plan", "subject_sha256": about, "verdict": "approve"}
        head = to_json({"run": RUN, "gate": "plan", "subject_sha256": shown}).removesuffix(b"}")
        request = b'%b,"subject":%b,"opened_at":"2026-01-01T00:00:00Z"}' % (head, subject)
        await orchestrator.store(f"gate.{RUN}.plan.request", request)
        if what != "none":
            await made.buses["person"].store(f"gate.{RUN}.plan.decision", json.dumps(decision).encode())
        said = {"event": "gate-decided", "gate": "plan", "decision": decision}
        for n in (1, 2) if what == "twice" else (1,):
            event = {"run": RUN, "n": n, "what": said}
            await orchestrator.store(f"run.{RUN}.gate-decided", json.dumps(event).encode())
        await (await made.notary()).round()
        header, *rest = await made.whole_file()
        found = verify([json.dumps(json.loads(header) | {"run": RUN}), *rest], unfinished=True)
        assert found["verified"] == (not why), found
        assert why in found.get("why", "")
