"""Check a file of `podium audit export` without Podium or its broker: Python 3.11 and PyNaCl will do (docs/audit.md).

Each message must be sealed under the key that the notary signed for its sender, and stand where the notary's running
hash has it; each checkpoint must follow the one before. A run must be whole, from its first event to its end, and each
decision that counted be what was said at that gate of what was shown there, once. The first bad record is named.
"""

import argparse
import base64
import hashlib
import json
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import chain
from typing import Any

from nacl.signing import VerifyKey

START: Any = {"last": 0, "hash": "00" * 32}
BEGIN: Any = {"number": 0, "streams": {}, "at": ""}
EPOCH, TICK, END = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1), object()


def _need(holds: object, why: str) -> None:
    if not holds:
        raise ValueError(why)


def _sha256(*parts: str | bytes) -> bytes:
    return hashlib.sha256(b"".join(part.encode() if isinstance(part, str) else part for part in parts)).digest()


@cache
def _key(public: str) -> VerifyKey:
    return VerifyKey(base64.b32decode(public + "=" * (-len(public) % 8))[1:33])  # an nkey: type, key, checksum


def _entitled(subject: str) -> str:  # a pattern: whose seal counts there; "" for the broker's own notes
    match subject.split("."):
        case ["call", _, _, who, _] | ["result", _, who, _] | ["begun", who, _, _] | ["refused", who, _, _, _]:
            return re.escape(who)
        case ["gate", _, _, "decision"]:
            return "orchestrator|person|host_.+"
        case of:
            return {"notary": "notary", "crew": "operator", "denied": "operator", "$JS": ""}.get(of[0], "orchestrator")


def _sealed(subject: str, seal: str, digest: str, rosters: list[dict[str, str]]) -> bool:
    by, at, signature = [*seal.split(" "), "", ""][:3]
    signed, entitled = "\n".join(("podium-1", subject, by, at, digest)).encode(), _entitled(subject)
    for roster in rosters if re.fullmatch(entitled, by) and re.search("[AQgw]==$", signature) else ():  # one form only
        with suppress(Exception):  # whatever it is that keeps it from being verified
            return bool(_key(roster[by]).verify(signed, base64.b64decode(signature, validate=True)))
    return not entitled


def _opened(line: Any) -> tuple[bytes, str]:  # a message's body, empty where only its digest is here; and the digest
    body = {"utf-8": str.encode, "base64": base64.b64decode}[line["encoding"]](line["body"])
    with suppress(ValueError, TypeError, KeyError, RecursionError):  # a claim that is none: the message is what it is
        if "Podium-Claim" in line["headers"] and re.fullmatch(r"[0-9a-f]{64}", named := json.loads(body)["sha256"]):
            return b"", named
    return body, _sha256(body).hex()


class _Run:
    def __init__(self, name: str) -> None:
        self.name, self.events, self.ended, self.gates = name, 0, False, dict[str, dict[str, Any]]()
        self.found, self.due = dict[str, str](), list[tuple[str, str, str]]()

    def take(self, where: str, subject: str, body: bytes, digest: str) -> None:
        kind, *rest = subject.split(".")
        self.found[f"{kind} {rest[-1]}"] = digest
        if kind in ("call", "result"):  # an answer says by which answers to calls of its own it came about
            said: Any = json.loads(body) if b"io.podium/asked" in body else {}
            told = said.get("result", {}).get("_meta", {}).get("io.podium/asked", {}).get("answers", {})
            self.due += [(where, f"result {call}", sha256) for call, sha256 in told.items() if sha256]
            return
        _need(rest[0] == self.name, "it is not of this run")
        said, gate = json.loads(body), self.gates.setdefault(rest[1], {})
        if kind == "gate" and rest[2] == "request":
            gate["shown"] = _sha256(body.partition(b',"subject":')[2].rpartition(b',"opened_at":')[0]).hex()
        elif kind == "gate":
            gate["said"] = said
        else:
            self.events, what, here = self.events + 1, said["what"], (said["run"], said["n"], said["what"]["event"])
            _need(here == (self.name, self.events, rest[1]), f"event {self.events} of the run should be here")
            self.ended |= rest[1] in ("handed-over", "failed", "aborted")
            if rest[1] == "call-finished":
                self.due += [(where, f"{part} {what['call_id']}", "") for part in ("call", "result")]
            if rest[1] == "gate-decided":
                gate, decision = self.gates.get(what["gate"], {}), what["decision"]
                _need(gate.get("said") == decision, "no such decision stands at that gate")
                _need(decision["subject_sha256"] == gate.get("shown"), "it decides on something that was not shown")
                _need(gate.setdefault("event", self.events) == self.events, "that decision was used before")


def verify(lines: Iterable[str], key: str = "", unfinished: bool = False, foreign: bool = False) -> dict[str, Any]:
    """What was found; `key` is the notary's that is trusted, "" for the one the file names."""
    head, run, signed, digest, where = dict[str, Any](), _Run(""), BEGIN, None, "line 1"
    streams, before, rosters = dict[str, Any](), dict[str, Any](), list[dict[str, str]]()
    counts = dict.fromkeys(("lines", "messages", "withheld", "foreign", "checkpoints"), 0)
    try:
        for line in chain[Any](map(json.loads, lines), [END]):
            if not head and line is not END:
                _need(line["podium_export"] == 2, "it was exported by a Podium without a notary")
                head, key, run = line, key or line["notary"], _Run(line["run"] or "")
                continue
            if line is END or "checkpoint" in line:
                for name, of in signed["streams"].items():  # of the checkpoint before nothing may be left
                    last = streams.get(name, START)["last"]
                    where = where if last == of["last"] else f"{name} {last + 1}"
                    _need(last == of["last"], "it is missing")
                if line is END:
                    break
                counts["lines"], where = counts["lines"] + 1, f"line {counts['lines'] + 2}"
                new, base = json.loads(line["checkpoint"]), None if signed["number"] else head["after"]
                where, found = f"checkpoint {new['number']}", _sha256(line["checkpoint"]).hex()
                _need(_sealed("notary.checkpoint", line["seal"], found, [{"notary": key}]), f"not signed by {key}")
                damage = [*new["breaches"], *new["gaps"]]
                _need(base or not damage, f"the notary found the ledger damaged: {damage}")
                due = (base, new["previous"]) if base else (signed["number"] + 1, digest)
                _need(due == (new["number"], new["previous"]), f"checkpoint {due[0]} should be here, after {digest}")
                _need(new["at"] >= signed["at"], "it is older than the checkpoint before")
                streams = new["streams"] if base else streams
                signed, digest, rosters, before = new, found, [new["roster"], *rosters[:1]], dict(streams)
                counts["checkpoints"] += 1
                continue
            stream, seq, subject = line["stream"], line["seq"], line.get("subject", "")
            counts["lines"], where = counts["lines"] + 1, f"{stream} {seq} {subject}".rstrip()
            was, due = streams.get(stream, START), signed["streams"].get(stream, START)
            _need(seq == was["last"] + 1, f"message {was['last'] + 1} of it should be here")
            _need(seq <= due["last"], "no checkpoint signs it")
            if "leaf" in line:
                counts["withheld"], leaf = counts["withheld"] + 1, bytes.fromhex(line["leaf"])
            else:
                body, found = _opened(line)
                sealed = _sealed(subject, line["headers"].get("Podium-Seal", ""), found, rosters)
                _need(sealed or foreign, f"not sealed by {_entitled(subject)}, or changed since")
                counts["messages" if sealed else "foreign"] += 1
                if run.name and sealed:
                    run.take(where, subject, body, found)
                headers = sorted(pair for pair in line["headers"].items() if pair[0] != "Podium-Claim")
                at = (datetime.fromisoformat(line["stored_at"]) - EPOCH) // TICK
                said = [stream, seq, subject, headers, found, at]
                leaf = _sha256("podium-leaf-1\n", json.dumps(said, separators=(",", ":")))
            running = _sha256("podium-chain-1\n", bytes.fromhex(was["hash"]), leaf).hex()
            streams[stream] = {"last": seq, "hash": running}
            if seq == due["last"] and running != due["hash"]:  # a running hash does not tell which of them it is
                where = f"{stream} {before.get(stream, START)['last'] + 1} to {seq}"
                raise ValueError(f"not what checkpoint {signed['number']} signs")
        where = "the file's end"
        _need(digest, "there is no checkpoint in it")
        _need(head["messages"] == counts["lines"], f"{head['messages']} lines should follow the first")
        _need(head["roster"] == signed["roster"], "its first line has other keys than the notary signed")
        _need(run.ended or unfinished or not run.name, f"the run stops at event {run.events}, before its end")
        for where, name, sha256 in run.due:  # noqa: B007 - told where it fails
            _need(run.found.get(name) and sha256 in ("", run.found[name]), f"{name} of it is missing, or another one")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as wrong:
        return {"verified": False, "record": where, "why": str(wrong) or repr(wrong)}
    last = {"ended": run.ended, "checkpoint": signed["number"], "sha256": digest, "at": signed["at"]}
    return {"verified": True, "run": run.name, "notary": key, "after": head["after"], **last, **counts}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", help="`-` for standard input")
    parser.add_argument("--notary-key", default="", help="whom to trust; without it, whom the file names")
    parser.add_argument("--unfinished", action="store_true", help="accept a run that has not ended")
    parser.add_argument("--allow-foreign", action="store_true", help="count what nobody entitled sealed, and go on")
    options = parser.parse_args()
    with open(0 if options.file == "-" else options.file, encoding="utf-8") as lines:
        outcome = verify(lines, options.notary_key, options.unfinished, options.allow_foreign)
    print(json.dumps(outcome, indent=2))  # noqa: T201 - what it is for
    sys.exit(not outcome["verified"])
