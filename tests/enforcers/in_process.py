"""A server's own process alone: calls that reach it past a broker which permits everything, and what handlers get."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from unittest import mock

import anyio

from bus.caller import new_call_id, open_caller
from bus.granted import LiveGrants
from bus.grants import SERVE, results_consumer
from bus.memory import MemoryBroker
from bus.serving import Incoming, Serving
from bus.subjects import CallSubject
from bus.wire import Correlation, call_request, response
from contracts.base import Model
from contracts.ledger import GRANTS_BUCKET, server_stream
from contracts.manifest import Scope
from orchestrator.keys import anonymous_file
from servers import handed_keys, rights
from servers.crew import Crew
from servers.crew_member import load_own
from servers.enforced import Right, inside
from servers.handed import Handed
from servers.handed_keys import HandedKeys
from servers.member import kept
from servers.rights import policy_for
from servers.sandbox.client import start_keeper
from servers.sandbox.job import Job, SandboxUnavailable
from servers.specialist import tool_names
from tests.bus.echo import everybody
from tests.enforcers.ground import Ground, runnable
from tests.enforcers.seen import WAYS, Seen, Way


class _Nothing(Model):
    """Parameters of a call that nobody gets to read."""


def _everything(scopes: Iterable[Scope]) -> frozenset[Handed]:
    return frozenset({"keys", "sandbox"})


async def tried_in_process(every: Sequence[Right], ground: Ground) -> dict[Right, Seen]:
    """Each right: the calls that servers take because of it, and what its holder's handlers are handed."""
    return {right: Seen.of({way: await _through(right, way, ground) for way in WAYS}) for right in every}


async def _through(right: Right, way: Way, ground: Ground) -> list[bool]:
    crew = right.granted if way == "granted" else right.withheld
    opened = inside(right)
    calls = [await _taken(right, call, right.grant(crew).calls, way) for call in opened.calls]
    return calls + [await _HANDED[one](right, crew, way, ground) for one in opened.handed]


async def _taken(right: Right, call: str, held: Sequence[str], way: Way) -> bool:
    """Whether the call gets as far as what answers it."""
    server, _, tool = call.partition(".")
    name = min(tool_names(load_own(server))) if tool == "*" else tool
    broker, reached = MemoryBroker(), anyio.Event()
    broker.add_consumer(server_stream(server), SERVE, f"call.{server}.>")
    broker.add_consumer(server_stream(server), results_consumer(right.holder), f"result.{right.holder}.{server}.>")
    broker.set(GRANTS_BUCKET, right.holder, json.dumps(held).encode())

    async def answer(incoming: Incoming) -> bytes:
        reached.set()
        return response(incoming.message.get("id"), {"content": [], "resultType": "complete"})

    own = broker.connect(server)
    door = Serving(own, answer, everybody if way == "removed" else LiveGrants(own).allows)
    async with anyio.create_task_group() as tasks, open_caller(broker.connect(right.holder)) as caller:
        await tasks.start(door.run)
        subject = CallSubject(server, name, right.holder, new_call_id())
        await caller.exchange(subject, call_request(subject.call_id, name, _Nothing(), Correlation()))
        tasks.cancel_scope.cancel()
    return reached.is_set()


async def _has_keys(right: Right, crew: Crew, way: Way, ground: Ground) -> bool:
    scopes = crew.by_name[right.holder].scopes
    file = anonymous_file(ground.keys)
    if way == "removed":
        with mock.patch.object(handed_keys, "handed", _everything):
            return bool(HandedKeys(file).for_member(scopes))
    return bool(HandedKeys(file).for_member(scopes))


async def _has_a_sandbox(right: Right, crew: Crew, way: Way, ground: Ground) -> bool:
    member, scratch = crew.by_name[right.holder], ground.scratch(right.holder)
    if way == "removed":
        with mock.patch.object(rights, "handed", _everything):
            policy = policy_for(member, ground.place, scratch)
    else:
        policy = policy_for(member, ground.place, scratch)
    async with kept(start_keeper(runnable(policy)) if policy else None) as (sandbox, _):
        (scratch / "job").mkdir()
        os.chmod(scratch / "job", 0o777)
        try:
            return (await sandbox.run(Job(argv=("/bin/true",), scratch=scratch / "job"))).returncode == 0
        except SandboxUnavailable:
            return False


_HANDED = {"keys": _has_keys, "sandbox": _has_a_sandbox}
