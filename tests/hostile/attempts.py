"""What a hostile member tries, as data: who should hold it, and where the audit says so.

Words in braces are facts of the house that is attacked (`tests.hostile.house`): it need not find them out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from bus.wire import Correlation, call_request
from contracts.repository import ListParams

Holder = Literal[
    "the broker",
    "the kernel",
    "the stream",
    "the seal",
    "the account",
    "nobody has it",
    "the contract",
    "its peer",
    "its overseer",
    "nobody: it may",
]
Record = Literal["a denial", "a message without a seal", "not", "a call"]
"""a denial: as the broker refused it. not: who refused it told nobody but who tried."""

RUN = "r-victim"
ID = "0" * 32
SHA256 = "0" * 64
_DEEP = "[" * 100_000


@dataclass(frozen=True)
class Attempt:
    """One thing to try."""

    name: str
    at: str
    means: str
    words: tuple[Any, ...]
    holder: Holder
    record: Record


def _broker(at: str, means: str, *subjects: str, **more: Any) -> Iterator[Attempt]:
    for subject in subjects:
        words = (subject, *more.values())
        yield Attempt(f"{means} {subject}", at, means, words, "the broker", "a denial")


def _kernel(at: str, *attempts: tuple[Any, ...]) -> Iterator[Attempt]:
    for means, *words in attempts:
        name = f"{means} {' '.join(map(str, words))}".rstrip()
        yield Attempt(name, at, means, tuple(words), "the kernel", "not")


def _smuggled(name: str, onto: str) -> Attempt:
    """The broker does not check the reply subject of a publish: what it answers can be stored where it says."""
    words = (f"call.repository.list.enemy.{{fresh:{name}}}", "{}", {"reply": onto})
    return Attempt(name, "ledger", "publish", words, "the seal", "a message without a seal")


def _relayed(at: str, holder: Holder, *what: tuple[str, str]) -> Iterator[Attempt]:
    """What it keeps and reads again goes where it says the answer should go, word for word."""
    for onto, body in what:
        yield Attempt(f"have the broker say it on {onto}", at, "relay", (onto, body), holder, "a call")


def _asking(named: str, of: str = "") -> tuple[str, str]:
    """A call of the tool that it was granted, about the run `named`, and made for the run `of`."""
    request = call_request(ID, "list", ListParams(run=named), Correlation(of))
    return f"call.repository.list.enemy.{{fresh:{named} {of}}}", request.decode()


_MINE = f"call.repository.list.enemy.{ID[:-2]}"
_LATER = {"Nats-Schedule": "@at 2020-01-01T00:00:00Z", "Nats-Schedule-Target": "run.{run}.late"}
HEADERS: tuple[tuple[str, str, dict[str, str], Holder], ...] = (
    ("trace a message to a run", "publish", {"Nats-Trace-Dest": "run.{run}.traced"}, "the broker"),
    ("have an event of a run written later", "ask", _LATER, "the stream"),
    ("have its record forgotten", "ask", {"Nats-TTL": "1s"}, "the stream"),
    ("hold records back in a batch", "ask", {"Nats-Batch-Id": "x", "Nats-Batch-Sequence": "1"}, "the stream"),
    ("count in a record", "ask", {"Nats-Incr": "+1"}, "the stream"),
)
"""What a header can have JetStream do, on subjects where it may publish."""

_CLAIMING = {"Podium-Claim": "1", "sealed": "yes"}
STUMBLES: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("a claim that is none", "{}", _CLAIMING),
    ("a claim of no digest", '{"sha256":"x","size":1,"chunk_bytes":1}', _CLAIMING),
    ("a claim of a number", f'{{"sha256":{"1" * 64},"size":1,"chunk_bytes":1}}', _CLAIMING),
    ("a deep claim", _DEEP, _CLAIMING),
    ("a claim that is told twice", f'{{"sha256":"x","sha256":"{SHA256}","size":9,"chunk_bytes":65536}}', _CLAIMING),
    ("a claim with more in it", f'{{"sha256":"{SHA256}","size":9,"chunk_bytes":65536,"more":1}}', _CLAIMING),
    ("a body that is not there", f'{{"sha256":"{SHA256}","size":9,"chunk_bytes":65536}}', _CLAIMING),
    ("a body that is too large", f'{{"sha256":"{SHA256}","size":{1 << 60},"chunk_bytes":65536}}', _CLAIMING),
    ("half a seal", "{}", {"Podium-Seal": "enemy x"}),
)
"""What it may store on its own call subjects, and whoever reads the ledger has to read."""

RUNS = tuple(
    Attempt(name, "runs", "call", words, "its peer", "a call")
    for name, words in (
        ("act for a run that does not employ it", _asking("r-none", RUN)),
        ("act on a run that does not employ it", _asking(RUN)),
        ("act for a run that is not under way", _asking("r-none", "r-none")),
    )
)
"""On behalf of whom it says it calls, with a tool that it was granted."""

PEERS = (
    *_broker(
        "peers",
        "publish",
        f"call.repository.read.enemy.{ID}",  # a tool it was not granted
        f"call.workspace.apply.enemy.{ID}",
        f"call.model.complete.enemy.{ID}",
        f"call.repository.list.orchestrator.{ID}",  # in somebody else's name
        "result.orchestrator.repository.{victim}",  # answers for somebody else
        "progress.orchestrator.repository.{victim}",
        "cancel.repository.orchestrator.{victim}",
        f"begun.repository.orchestrator.{ID}",
        "changed.repository",
        "rpc.repository.tools.list.orchestrator",
        "deliver.call.repository",
        "deliver.result.orchestrator.repository",
        "_INBOX.orchestrator.x",
        f"chunk.call.repository.list.orchestrator.{ID}.{SHA256}.0",
        f"chunk.result.orchestrator.repository.{ID}.{SHA256}.0",
        "$KV.agents.repository.1",  # a card, a heartbeat
        "$KV.roster.repository",
        "$KV.roster.enemy",
        "$KV.grants.enemy",
        "$KV.mandates.{run}",
        "$JS.ACK.LEDGER_repository.serve.1.1.1.1.1",
    ),
    *_broker(
        "peers",
        "subscribe",
        ">",
        "_INBOX.>",
        "_INBOX.orchestrator.>",
        "call.>",
        "result.>",
        "rpc.>",
        "rpc.repository.>",
        "deliver.call.repository",
        "deliver.result.orchestrator.repository",
        "progress.>",
        "cancel.>",
        "changed.repository",
        "$KV.>",
        "$JS.>",
        "$SYS.>",
        "run.>",
        "gate.>",
    ),
    Attempt(
        "be in the registry as another",
        "peers",
        "publish",
        ("$KV.agents.enemy.other", "{card}"),
        "the contract",
        "a call",
    ),
    *_relayed("peers", "the seal", ("$KV.agents.repository.other", "{card}")),
    *_relayed(
        "peers",
        "the account",
        ("$KV.roster.orchestrator", "{key}"),
        ("$KV.grants.enemy", '["repository.*", "model.*"]'),
    ),
    *_broker("peers", "subscribe", "deliver.call.model", "call.repository.>", "rpc.model.>", queue="repository"),
)

LEDGER = (
    *_broker(
        "ledger",
        "publish",
        "run.{run}.begun",
        "run.{run}.handed-over",
        "gate.{run}.plan.request",
        "notary.checkpoint",
        "denied.enemy.x",
        "denied.repository.x",  # passes its own deeds off as somebody else's
        f"refused.host_desk.repository.read.{ID}",
        f"chunk.run.{{run}}.begun.{SHA256}.0",
        *(
            f"$JS.API.STREAM.{verb}.{stream}"
            for stream in ("LEDGER_runs", "LEDGER_enemy", "NOTARY")
            for verb in ("DELETE", "PURGE", "UPDATE", "MSG.DELETE", "INFO", "SNAPSHOT")
        ),
        "$JS.API.STREAM.CREATE.COPY",
        "$JS.API.STREAM.RESTORE.LEDGER_runs",
        "$JS.API.STREAM.NAMES",
        "$JS.API.CONSUMER.CREATE.LEDGER_runs",
        "$JS.API.CONSUMER.CREATE.LEDGER_enemy",
        "$JS.API.CONSUMER.DURABLE.CREATE.LEDGER_repository.serve",
        "$JS.API.CONSUMER.DELETE.LEDGER_repository.serve",
        "$JS.API.CONSUMER.MSG.NEXT.LEDGER_repository.serve",
        "$JS.API.CONSUMER.PAUSE.LEDGER_repository.serve",
        "$JS.API.DIRECT.GET.LEDGER_repository",
        "$JS.API.DIRECT.GET.LEDGER_runs",
        "$JS.API.DIRECT.GET.LEDGER_runs.gate.{run}.plan.request",
        "$JS.API.DIRECT.GET.OBJECTS_repository",
        "$JS.API.DIRECT.GET.NOTARY",
        "$JS.API.STREAM.MSG.GET.LEDGER_runs",
        "$JS.API.META.LEADER.STEPDOWN",
        "$JS.API.STREAM.LEADER.STEPDOWN.LEDGER_runs",
        "$JS.API.ACCOUNT.PURGE.PODIUM",
        "$SYS.REQ.SERVER.PING",
    ),
    *_relayed(
        "ledger",
        "the account",
        ("$JS.API.STREAM.DELETE.LEDGER_workspace", ""),
        ("$JS.API.STREAM.UPDATE.LEDGER_runs", '{"name":"LEDGER_runs","subjects":["run.>"],"max_age":1000000000}'),
        ("$JS.API.STREAM.PURGE.OBJECTS_repository", ""),
        ("$JS.API.CONSUMER.DELETE.LEDGER_repository.serve", ""),
        (
            "$JS.API.CONSUMER.DURABLE.CREATE.LEDGER_runs.x",
            '{"stream_name":"LEDGER_runs","config":{"durable_name":"x"}}',
        ),
    ),
    _smuggled("a result of another's, by a reply", "result.orchestrator.repository.{guessed}"),
    _smuggled("an event of a run, by a reply", "run.{run}.aborted"),
    _smuggled("a checkpoint, by a reply", "notary.checkpoint"),
    *(
        Attempt(f"{name}, by a header", "ledger", means, (f"{_MINE}{n:02}", "{}", more), holder, "not")
        for n, (name, means, more, holder) in enumerate(HEADERS)
    ),
    *(
        Attempt(f"leave {name} to readers", "ledger", "publish", (f"{_MINE}{n}", body, more), "the contract", "a call")
        for n, (name, body, more) in enumerate(STUMBLES, 80)
    ),
    *(
        Attempt(f"roll up {subject}", "ledger", "ask", (subject, "{}", {"Nats-Rollup": "all"}), "the stream", "not")
        for subject in ("$KV.agents.enemy.roll", f"result.orchestrator.enemy.{ID}")
    ),
)

GATES = (
    Attempt("approve", "gates", "publish", ("gate.{run}.plan.decision", "{approval}"), "the broker", "a denial"),
    Attempt(
        "approve with an approval of another gate and its seal",
        "gates",
        "publish",
        ("gate.{run}.handoff.decision", "{approval}", {"Podium-Seal": "{approval_seal}"}),
        "the broker",
        "a denial",
    ),
    Attempt(
        "approve under its own seal",
        "gates",
        "publish",
        ("gate.{run}.handoff.decision", "{approval}", {"sealed": "yes"}),
        "the broker",
        "a denial",
    ),
    _smuggled("an approval, by a reply", "gate.{run}.handoff.decision"),
)

FILES = (
    *_kernel(
        "files",
        ("list", "/"),
        ("list", "{home}"),
        ("list", "{state}"),
        ("list", "{checkout}"),
        ("read", "{checkout}/README"),
        ("write", "{checkout}/README"),
        ("write", "{checkout}/.git/hooks/post-checkout"),
        ("remove", "{checkout}/README"),
        ("link", "{checkout}/README"),
        ("read", "{state}/identities/orchestrator.nk"),
        ("read", "{state}/identities/notary.nk"),
        ("write", "{state}/identities/enemy.nk"),
        ("read", "{state}/notary/newest.json"),
        ("write", "{state}/notary/newest.json"),
        ("read", "{state}/broker/nats.json"),
        ("read", "{state}/broker/account.json"),
        ("write", "{state}/broker/nats.log"),
        ("list", "{state}/broker/jetstream"),
        ("list", "{state}/work"),
        ("list", "{state}/scratch/repository"),
        ("write", "{agent}"),
    ),
)

MACHINE = (
    *_kernel(
        "machine",
        ("read", "/proc/{house}/environ"),
        ("read", "/proc/{house}/cmdline"),
        ("list", "/proc/{house}/fd"),
        ("read", "/proc/{broker}/environ"),
        ("signal", "{house}"),
        ("signal", "{broker}"),
        ("trace", "{house}"),
        ("tcp", "{port}"),
        ("udp", "{port}"),
        ("unix", "{state}/house.sock"),
        ("serve",),
        ("start", "/bin/true"),
        ("namespace",),
        ("mount",),
    ),
    Attempt(
        "look through its memory for how the broker is governed",
        "machine",
        "remember",
        (r"\$PODIUM\.[0-9a-f][0-9a-f]+",),
        "nobody has it",
        "not",
    ),
)

FLOODS = (
    Attempt(
        "a call of 100,000 brackets",
        "peers",
        "publish",
        (f"{_MINE}99", _DEEP, {"sealed": "yes"}),
        "the contract",
        "a call",
    ),
    Attempt(
        "2,000 messages where it may not write", "broker", "flood", ("run.{run}.x", 2000), "the broker", "a denial"
    ),
    Attempt(
        "a message of more than 8 MiB",
        "broker",
        "raw",
        (f"PUB call.repository.list.enemy.{ID} 9000000\r\n", "payload exceeded"),
        "the broker",
        "a denial",
    ),
    Attempt(
        "a line of more than 4 KiB",
        "broker",
        "raw",
        (f"PUB {'x' * 5000} 1\r\n", "control line exceeded"),
        "the broker",
        "a denial",
    ),
)

OWN = tuple(
    Attempt(name, "itself", means, words, "nobody: it may", "a call")
    for name, means, words in (
        ("make a call it was granted", "publish", (f"call.repository.list.enemy.{ID}",)),
        ("have such a call answered", "call", _asking("r-none")),
        ("hear its own mail", "subscribe", ("progress.enemy.repository.*",)),
        ("write and read its own files", "own", ()),
        ("have a result of its own stored", "ask", (f"result.orchestrator.enemy.{ID}",)),
        ("connect to the broker", "tcp", ("{broker_port}",)),
    )
)
"""What it may do: were these refused, too, the means would prove nothing."""

EVERY_ATTEMPT = (*OWN, *RUNS, *PEERS, *LEDGER, *GATES, *FILES, *MACHINE, *FLOODS)

OUTLIVE = Attempt("leave a process behind", "machine", "daemon", (), "its overseer", "not")

_ASKED = '"_meta":{"io.podium/asked":%s},'

ANSWERS = {
    "no JSON": "nothing",
    "nothing": "",
    "deep JSON": _DEEP,
    "deep JSON inside": '{"jsonrpc":"2.0","id":"CALL_ID","result":{"structuredContent":' + _DEEP,
    "another call's id": f'{{"jsonrpc":"2.0","id":"{ID}","result":{{"structuredContent":{{"text":"other"}}}}}}',
    "no object": '{"jsonrpc":"2.0","id":"CALL_ID","result":[]}',
    **{
        name: f'{{"jsonrpc":"2.0","id":"CALL_ID","result":{{{more}"structuredContent":{content}}}}}'
        for name, more, content in (
            ("another form", "", '{"text":1,"path":".git/config"}'),
            ("a failure of no kind", '"isError":true,', '{"failure":7}'),
            ("what commands terminals", "", '{"text":"\\u001b]0;owned\\u0007"}'),
            ("half a character", "", '{"text":"\\ud800"}'),
            ("a number without end", "", '{"text":1e99999}'),
            (
                "calls of others as its own",
                f'"_meta":{{"io.podium/asked":{{"answers":{{"{ID}":"x"}}}}}},',
                '{"text":"x"}',
            ),
            ("an account of no form", _ASKED % _DEEP, '{"text":"x"}'),
        )
    },
}
"""With what it answers a call, sealed and stored: each becomes a value of the contract, or a failure of that call."""
