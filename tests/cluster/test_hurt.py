"""A cluster that loses its leader, or a node its peers: nothing is lost, nothing doubled, and no reader misled."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import anyio
import pytest

from bus.bus import ABSENT
from bus.errors import AlreadyStored
from contracts.ledger import AGENTS_BUCKET, RUNS_STREAM
from tests.cluster.rig import ClusterRig, calls_while, cluster_rig


@pytest.fixture(scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[ClusterRig]:
    async with cluster_rig(tmp_path_factory.mktemp("cluster")) as made:
        yield made


async def test_calls_outlive_their_leader(rig: ClusterRig) -> None:
    """`kill -9` of who leads their stream and the registry's: all answered, each kept and executed once.

    The server goes on being listed: that nobody leads for a while says nothing about it.
    """

    async def kill() -> None:
        leader = await rig.leader()
        await rig.have_lead(leader, f"KV_{AGENTS_BUCKET}")
        leader.kill()
        leader.start()

    tally = await calls_while(rig, kill)

    assert (tally.lost, tally.doubled, tally.twice) == (0, 0, 0)
    assert tally.unlisted == 0


async def test_a_replica_that_is_cut_off_decides_nothing(rig: ClusterRig) -> None:
    """Its client asks it what the others have stored meanwhile: it waits, moves on, and is told."""
    leader = await rig.leader(RUNS_STREAM)
    other = next(host for host in rig.hosts.all if host != leader)
    async with rig.connect("orchestrator", other) as behind, rig.connect("orchestrator", leader) as ahead:
        other.cut()
        try:
            await ahead.store("gate.r-cccc.plan.decision", b"yes", expect=ABSENT)
            with anyio.fail_after(60):
                found = await behind.last(RUNS_STREAM, "gate.r-cccc.plan.decision")
                history = [one.subject async for one in behind.history(RUNS_STREAM, "gate.>")]
                with pytest.raises(AlreadyStored):
                    await behind.store("gate.r-cccc.plan.decision", b"no", expect=ABSENT)
        finally:
            other.heal()

    assert found is not None
    assert found.body == b"yes"
    assert history == ["gate.r-cccc.plan.decision"]


async def test_whether_something_stands_is_asked_of_who_decides_it(rig: ClusterRig) -> None:
    """A server that may read one subject only learns it by a write that cannot succeed, which leaves nothing."""
    async with rig.connect("echo") as bus:
        subject = f"result.orchestrator.echo.{'a' * 32}"
        assert not await bus.stands(subject)
        await bus.store(subject, b"{}", expect=ABSENT)
        assert await bus.stands(subject)


async def test_of_many_who_write_at_once_one_is_first_and_the_others_hear_it(rig: ClusterRig) -> None:
    """A cluster that has not agreed yet answers that it cannot say; that is no decision, and is asked again."""
    subject, kept, late = "gate.r-dddd.plan.decision", list[int](), list[AlreadyStored]()
    async with rig.connect("orchestrator") as bus, anyio.create_task_group() as tasks:

        async def decide(number: int) -> None:
            try:
                kept.append(await bus.store(subject, b"%d" % number, expect=ABSENT))
            except AlreadyStored as wrong:
                late.append(wrong)

        for number in range(30):
            tasks.start_soon(decide, number)

    assert (len(kept), len(late)) == (1, 29)
