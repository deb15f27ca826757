"""`podium agents rotate`: another key, and nothing else is lost with the old one."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from bus.caller import new_call_id, open_caller
from bus.connect import connect, identities
from bus.errors import BusUnavailable, CallFailed
from bus.identity import Identity, load_identity, past_keys
from bus.nats_bus import connect_nats
from contracts.base import Model
from contracts.config import ServerConfig
from contracts.repository import ListParams, ListResult
from orchestrator import doctor, proof, recording
from orchestrator import house as houses
from orchestrator.audit import audit
from orchestrator.standalone.verify_ledger import verify
from servers.crew import CREW_FILE, read_crew
from servers.crew_keys import publish_keys, renew_keys
from tests.bridge.rig import as_identity, joined
from tests.cli.conftest import Podium

AGENT = '''"""Waits."""

from pathlib import Path

import anyio

from contracts.base import Model
from contracts.manifest import Manifest
from servers.specialist import Call, Room, tool


class WaitParams(Model):
    file: str


class WaitResult(Model):
    deaths: int


class Waiter:
    manifest = Manifest(name="waiter", title="Waiter", description="Waits.")

    def __init__(self, room: Room) -> None:
        pass

    @tool(read_only=True)
    async def wait(self, params: WaitParams, call: Call) -> WaitResult:
        """Wait until there is a file."""
        await call.progress(0)
        while not Path(params.file).exists():
            await anyio.sleep(0.01)
        return WaitResult(deaths=call.life.deaths)
'''


class WaitParams(Model):
    file: str


class WaitResult(Model):
    deaths: int


async def listed(podium: Podium) -> str:
    """What the repository answers to a call of the orchestrator's, about a run that is not there."""
    async with as_identity(podium, "orchestrator") as (_, caller):
        with pytest.raises(CallFailed) as failed:
            await caller.call("repository", "list", ListParams(run="r-none"), ListResult, call_id=new_call_id())
    return failed.value.failure.kind


async def refused(podium: Podium, old: Identity) -> bool:
    found = await houses.status(podium.state)
    assert found is not None
    try:
        async with connect_nats(found.url, old):
            return False
    except BusUnavailable:
        return True


async def signed(podium: Podium, calls: int) -> list[str]:
    """The ledger's file, once so many calls of `repository.list` are signed."""
    with anyio.fail_after(30):
        while True:
            async with as_identity(podium, "auditor") as (bus, _):
                with suppress(proof.NotSigned):
                    span = await proof.signed_ledger(bus)
                    lines = [line async for line in proof.lines(bus, span, None, "")]
                    if sum("call.repository.list." in line for line in lines) == calls:
                        return lines


async def test_old_keys_are_refused_and_what_they_signed_counts(kept: Podium) -> None:
    """Of everybody: the next calls are signed by the new ones, the earlier stay sealed, and the ledger verifies."""
    folder = identities(kept.state)
    assert await listed(kept) == "not_found"
    old = {name: load_identity(folder, name) for name in ("repository", "orchestrator", "operator", "notary")}
    done = kept("agents", "rotate", "--all", "--json")
    assert done.code == 0, done.err
    assert done.document["taken_up"]
    assert "notary" not in done.document["rotated"]
    for name in ("repository", "orchestrator", "operator"):
        assert await refused(kept, old[name])
        assert load_identity(folder, name).public == done.document["rotated"][name] != old[name].public
        assert (folder / f"{name}.nk").stat().st_mode & 0o777 == 0o600
    assert await listed(kept) == "not_found"
    assert kept("agents", "rotate", "orchestrator").code == 0
    assert await listed(kept) == "not_found"
    async with as_identity(kept, "auditor") as (bus, _):
        found = await audit(bus, await recording.readable(bus))
    mine = [call for call in found.calls if call.tool == "list"]
    assert ([call.sealed for call in mine], found.foreign) == ([True, True, True], 0)
    found = verify(await signed(kept, 3), key=load_identity(folder, "notary").public)
    assert found["verified"], found


async def test_a_call_that_is_under_way_is_answered(kept: Podium, tmp_path: Path) -> None:
    """By the process with the new key, where the old one did not finish; the caller need not know."""
    agent, file = tmp_path / "waiter.py", tmp_path / "there" / "file"
    agent.write_text(AGENT)
    file.parent.mkdir()
    server = ServerConfig(agent=str(agent), scopes=(f"files:read:{file.parent}",))
    found = await houses.status(kept.state)
    assert found is not None
    answers, begun = list[WaitResult](), anyio.Event()

    async def on_progress(done: float, total: float | None, message: str) -> None:
        begun.set()

    async with joined(kept, "waiter", server), connect(kept.state, found.url, "orchestrator") as bus:
        async with open_caller(bus) as caller, anyio.create_task_group() as tasks:

            async def call() -> None:
                params = WaitParams(file=str(file))
                answers.append(
                    await caller.call(
                        "waiter", "wait", params, WaitResult, call_id=new_call_id(), on_progress=on_progress
                    )
                )

            tasks.start_soon(call)
            with anyio.fail_after(30):
                await begun.wait()
            done = await anyio.to_thread.run_sync(kept, "agents", "rotate", "waiter")
            assert done.code == 0, done.err
            file.touch()
    assert len(answers) == 1


def test_whose_key_is_to_be_said_and_the_notarys_stays(kept: Podium) -> None:
    """Each with the way out."""
    for words, code, told in (((), 2, "Say whose key"), (("notary",), 1, "trust the ledger")):
        done = kept("agents", "rotate", *words)
        assert (done.code, told in done.err) == (code, True), done.err


def test_a_key_that_is_too_old_is_another_one_when_a_house_starts(tmp_path: Path) -> None:
    """By the crew file; not the notary's, nor a key that is young. Until then the doctor names whose it is."""
    crew, folder = read_crew(CREW_FILE), identities(tmp_path)
    keys = publish_keys(tmp_path, crew)
    for name in ("repository", "notary"):
        os.utime(folder / f"{name}.nk", (1, 1))
    renew_keys(tmp_path, crew)
    assert publish_keys(tmp_path, crew) == keys, "there is no limit"
    (check,) = doctor.keys(tmp_path, 90)
    assert (check.level, check.found) == ("warn", "older than 90 days: repository")
    renew_keys(tmp_path, replace(crew, key_max_age_days=90))
    changed = {name for name, key in publish_keys(tmp_path, crew).items() if keys[name] != key}
    assert changed == {"repository"}
    assert [key for key, _ in past_keys(folder, "repository")] == [keys["repository"]]
    assert [each.level for each in doctor.keys(tmp_path, 90)] == ["ok"]
