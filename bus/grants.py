"""From what a crew file grants to what the broker permits. Pure.

Whatever is not listed here the broker refuses. Results are read with DIRECT.GET and taken from push
consumers that the operator provisioned, so no member needs a right to create, change or delete
anything in JetStream.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from bus.subjects import chunk, deliver_calls, deliver_results, token
from contracts.config import CONCURRENCY
from contracts.ledger import (
    AGENTS_BUCKET,
    CHECKPOINT,
    ENDINGS,
    GRANTS_BUCKET,
    MANDATES_BUCKET,
    ROSTER_BUCKET,
    RUNS_STREAM,
    object_stream,
    server_stream,
)
from contracts.terms import GATEWAY

RUNS_CALLER = "orchestrator"
"""Under which identity the calls of runs are made."""

OPERATOR, PERSON, AUDITOR, NOTARY = "operator", "person", "auditor", "notary"

BROKER, STRANGER = "broker", "stranger"
"""Who refused something, and whom if nobody has that key, as the audit calls them; neither has an identity."""

RESERVED = frozenset({OPERATOR, RUNS_CALLER, PERSON, AUDITOR, NOTARY, GATEWAY, BROKER, STRANGER})
"""Names that no server may take: what they stand for on the ledger would be in doubt."""

_HOST = "host_"
"""Begins the identity of every MCP host, and of nobody else."""

_MANDATES = f"$KV.{MANDATES_BUCKET}.*"

SERVE = "serve"
"""Name of a server's own durable consumer in its stream."""


def host_identity(host: str) -> str:
    """Under which identity the calls of an MCP host are made, and its people's decisions at gates."""
    return _HOST + host


def is_host(identity: str) -> bool:
    """Whether an identity is that of an MCP host."""
    return identity.startswith(_HOST)


def name_problem(server: str) -> str:
    """Why no server may have that name; "" when it may."""
    if "__" in server:
        return f"{server}: hosts see SERVER__TOOL, so a server's name has no two underscores side by side"
    if server in RESERVED or is_host(server):
        return f"{server}: no server may have that name, for others are known by it"
    return ""


def results_consumer(caller: str) -> str:
    """Name of a caller's durable consumer of results in a server's stream."""
    return f"results_{caller}"


@dataclass(frozen=True)
class Grant:
    """What one identity may do on the bus."""

    name: str
    serves: bool = False
    concurrency: int = CONCURRENCY
    """Of a server: calls that are delivered to it and not yet answered, at most."""
    calls: tuple[str, ...] = ()
    """`server.tool`, or `server.*` for every tool of a server."""
    decides_runs: bool = False
    """Write run events and gate requests."""
    decides_gates: bool = False
    """Write gate decisions."""
    accounts: bool = False
    """Read how a run was started, and what it has answered itself."""
    hosts: bool = False
    """Speak for an MCP host: read runs, and write down what it was refused."""
    reads_ledger: tuple[str, ...] = ()
    """Servers whose calls and results it may read, beside runs and gates."""
    reads_all: bool = False
    """Read every stream: what is on the ledger stays there when a server has left the crew."""
    notarizes: bool = False
    """Write checkpoints of the ledger."""
    operates: bool = False
    """Provision streams, consumers and buckets: everything."""

    def servers(self) -> tuple[str, ...]:
        """The servers it calls, sorted."""
        return tuple(sorted({call.split(".", 1)[0] for call in self.calls}))


@dataclass(frozen=True)
class Permissions:
    """Subjects the broker lets one identity publish and subscribe to."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def permissions(grant: Grant) -> Permissions:
    """The broker permissions that `grant` comes to."""
    if grant.operates:
        return Permissions((">",), (">",))
    me = grant.name
    publish = [
        subject for bucket in (ROSTER_BUCKET, AGENTS_BUCKET, GRANTS_BUCKET) for subject in _reading_all(f"KV_{bucket}")
    ]
    mandates = f"KV_{MANDATES_BUCKET}"
    publish += [f"$JS.API.STREAM.MSG.GET.{mandates}", f"$JS.API.DIRECT.GET.{mandates}.{_MANDATES}"]
    subscribe = [f"_INBOX.{me}.>"]
    if grant.serves:
        stream, results, begun = server_stream(me), f"result.*.{me}.*", f"begun.{me}.*.*"
        publish += [
            *_writing(results),
            begun,
            f"$JS.API.DIRECT.GET.{stream}.{begun}",
            f"progress.*.{me}.*",
            f"changed.{me}",
            f"$JS.ACK.{stream}.{SERVE}.>",
            *_reading_of(stream, results),
            _chunks_of(stream, f"call.{me}.*.*.*"),
            f"$KV.{AGENTS_BUCKET}.{me}.>",
        ]
        subscribe += [deliver_calls(me), f"cancel.{me}.*.*", f"rpc.{me}.>"]
        subscribe += [f"$SRV.{verb}{of}" for verb in ("PING", "INFO", "STATS") for of in ("", f".{me}", f".{me}.*")]
    if grant.accounts:
        publish += [*_reading_of(RUNS_STREAM, "run.*.started"), *_reading_all(server_stream(me))]
    for call in sorted(grant.calls):
        server, tool = call.split(".", 1)
        mine = f"call.{server}.{tool if tool == '*' else token(tool)}.{me}.*"
        publish += [*_writing(mine), *_reading_of(server_stream(server), mine)]
    for server in grant.servers():
        publish += [
            f"cancel.{server}.{me}.*",
            *(f"rpc.{server}.{'*.' * depth}{me}" for depth in (1, 2, 3)),
            *_reading_of(server_stream(server), f"result.{me}.{server}.*"),
        ]
        subscribe += [deliver_results(me, server), f"progress.{me}.{server}.*"]
    if grant.decides_runs:
        publish += [*_writing("run.*.*"), *_writing("gate.*.*.request"), _MANDATES]
    if grant.decides_gates:
        publish += _writing("gate.*.*.decision")
    if grant.hosts:
        publish += _writing(f"refused.{me}.*.*.*")
        subscribe += [f"progress.{RUNS_CALLER}.*.*", *(f"changed.{server}" for server in grant.servers())]
    if grant.decides_runs or grant.decides_gates or grant.reads_ledger or grant.hosts:
        publish += _reading(RUNS_STREAM)
        subscribe += ["run.>", "gate.>"]
    if grant.reads_ledger:
        publish += [
            f"$JS.API.STREAM.INFO.{stream}" for stream in (RUNS_STREAM, *map(server_stream, grant.reads_ledger))
        ]
    for server in grant.reads_ledger:
        publish += _reading(server_stream(server))
        subscribe += [f"progress.*.{server}.*"]
    if grant.reads_all:
        publish += [*_reading_all("*"), "$JS.API.DIRECT.GET.*.>"]
    if grant.notarizes:
        publish += [CHECKPOINT, "$JS.API.STREAM.NAMES"]
        subscribe += [f"run.*.{ending}" for ending in ENDINGS]
    return Permissions(tuple(publish), tuple(subscribe))


def _writing(subject: str) -> list[str]:
    """To keep messages on subjects, and before each what is too large for it."""
    return [subject, chunk(subject, "*", "*")]


def _reading_of(stream: str, subject: str) -> list[str]:
    """To read the newest message on each of these subjects, and its body where that is kept apart."""
    return [f"$JS.API.DIRECT.GET.{stream}.{subject}", _chunks_of(stream, subject)]


def _chunks_of(stream: str, subject: str) -> str:
    return f"$JS.API.DIRECT.GET.{object_stream(stream)}.{chunk(subject, '*', '*')}"


def _reading_all(stream: str) -> list[str]:
    # The second is the same content, from the stream's leader: how far the others should have come.
    return [f"$JS.API.DIRECT.GET.{stream}", f"$JS.API.STREAM.MSG.GET.{stream}"]


def _reading(stream: str) -> list[str]:
    return [
        *_reading_all(stream),
        f"$JS.API.DIRECT.GET.{stream}.>",
        f"$JS.API.DIRECT.GET.{object_stream(stream)}.>",
    ]


def check_calls(said: Mapping[str, Iterable[str]], tools: Mapping[str, Set[str]]) -> list[str]:
    """Calls that are granted, by who holds them, and that there are not, as sentences; empty when all is well.

    `tools` maps servers to the tools they are known to have; what others have only they know.
    """
    return [
        f"{holder} is granted {call}, but {server} has no tool {tool!r}"
        for holder, calls in said.items()
        for call in calls
        for server, _, tool in [call.partition(".")]
        if server in tools and tool not in {"*", *tools[server]}
    ]
