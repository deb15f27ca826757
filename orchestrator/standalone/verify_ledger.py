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
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import chain
from typing import Any

from nacl.signing import VerifyKey

START, EPOCH, TICK = {"last": 0, "hash": "00" * 32}, datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


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
        case ["call", _, _, who, _] | ["result", _, who, _] | ["refused", who, _, _, _]:
            return re.escape(who)
        case ["gate", _, _, "decision"]:
            return "orchestrator|person|host_.+"
        case parts:
            return {"notary": "notary", "$JS": ""}.get(parts[0], "orchestrator")


def _opened(line: Any, rosters: list[dict[str, str]]) -> tuple[bytes, str, bool]:
    body, apart = line["body"].encode(), "Podium-Claim" in line["headers"]  # apart: only the body's digest is here
    body = base64.b64decode(body, validate=True) if line["encoding"] == "base64" else body
    digest = bytes.fromhex(json.loads(body)["sha256"]).hex() if apart else _sha256(body).hex()
    by, at, signature = [*line["headers"].get("Podium-Seal", "").split(" "), "", ""][:3]
    signed = "\n".join(("podium-1", line["subject"], by, at, digest)).encode()
    sealed = not (entitled := _entitled(line["subject"]))
    for roster in rosters if re.fullmatch(entitled, by) else ():
        try:
            sealed |= bool(_key(roster[by]).verify(signed, base64.b64decode(signature, validate=True)))
        except Exception:  # whatever it is that keeps it from being verified
            continue
    return b"" if apart else body, digest, sealed


class _Run:
    def __init__(self, name: str) -> None:
        self.name, self.events, self.ended, self.gates = name, 0, False, dict[str, dict[str, Any]]()
        self.found, self.due = dict[str, str](), list[tuple[str, str, str]]()

    def take(self, where: str, subject: str, body: bytes, digest: str) -> None:
        kind, *rest = subject.split(".")
        self.found[f"{kind} {rest[-1]}"] = digest
        if kind == "result" and b"io.podium/asked" in body:  # what it was told by the calls it made for that answer
            told = json.loads(body).get("result", {}).get("_meta", {}).get("io.podium/asked", {}).get("answers", {})
            self.due += [(where, f"result {call}", sha256) for call, sha256 in told.items() if sha256]
        if kind not in ("run", "gate") or rest[0] != self.name:
            return
        said, gate = json.loads(body), self.gates.setdefault(rest[1], {})
        if kind == "gate" and rest[2] == "request":
            gate["shown"] = _sha256(json.dumps(said["subject"], separators=(",", ":"), ensure_ascii=False)).hex()
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
                of = (decision["run"], decision["gate"], decision["subject_sha256"])
                _need(of == (self.name, what["gate"], gate.get("shown")), "it decides on something that was not shown")
                _need(gate.setdefault("event", self.events) == self.events, "that decision was used before")


def verify(lines: Iterable[str], key: str = "", unfinished: bool = False, foreign: bool = False) -> dict[str, Any]:
    """What was found; `key` is the notary's that is trusted, "" for the one the file names."""
    head, signed, digest, where = dict[str, Any](), dict[str, Any](), "", "line 1"
    streams, before, rosters, run = dict[str, Any](), dict[str, Any](), list[dict[str, str]](), _Run("")
    counts = dict.fromkeys(("lines", "messages", "withheld", "foreign", "checkpoints"), 0)
    try:
        for line in chain(map(json.loads, lines), [None]):  # None: its end
            if line and not head:
                _need(line["podium_export"] == 2, "it was exported by a Podium without a notary")
                head, key, run, digest = line, key or line["notary"], _Run(line["run"] or ""), None
                continue
            stream, seq, subject = (line["stream"], line["seq"], line.get("subject", "")) if line else ("NOTARY", 0, "")
            counts["lines"], where = counts["lines"] + bool(line), f"{stream} {seq} {subject}".rstrip()
            if stream == "NOTARY":
                for name, of in signed.get("streams", {}).items():  # of the checkpoint before nothing may be left
                    last = streams.get(name, START)["last"]
                    where = where if last == of["last"] else f"{name} {last + 1}"
                    _need(last == of["last"], "it is missing")
                if not line:
                    break
                body, found, sealed = _opened(line, [{"notary": key}])
                _need(sealed and subject == "notary.checkpoint", f"the notary {key} has not signed it")
                new, base = json.loads(body), None if signed else head["after"]
                damage = [] if base else [*new["breaches"], *new["gaps"]]
                _need(not damage, f"the notary found the ledger damaged: {damage}")
                follows = (signed["number"] + 1, digest, signed["at"]) if signed else (base or 1, new["previous"], "")
                _need(follows[:2] == (new["number"], new["previous"]), f"checkpoint {follows[0]} should be here")
                _need(new["at"] >= follows[2], "it is older than the checkpoint before")
                streams = new["streams"] if base else streams
                signed, digest, rosters, before = new, found, [new["roster"], *rosters[:1]], dict(streams)
                counts["checkpoints"] += 1
                continue
            was, due = streams.get(stream, START), signed.get("streams", {}).get(stream, START)
            _need(seq == was["last"] + 1, f"message {was['last'] + 1} of it should be here")
            _need(seq <= due["last"], "no checkpoint signs it")
            if "leaf" in line:
                counts["withheld"], leaf = counts["withheld"] + 1, bytes.fromhex(line["leaf"])
            else:
                body, found, sealed = _opened(line, rosters)
                _need(sealed or foreign, f"not sealed by {_entitled(subject)}, or changed since")
                counts["messages" if sealed else "foreign"] += 1
                if run.name and sealed:
                    run.take(where, subject, body, found)
                headers = sorted(pair for pair in line["headers"].items() if pair[0] != "Podium-Claim")
                at = (datetime.fromisoformat(line["stored_at"]) - EPOCH) // TICK
                text = json.dumps([stream, seq, subject, headers, found, at], separators=(",", ":"))
                leaf = _sha256("podium-leaf-1\n", text)
            running = _sha256("podium-chain-1\n", bytes.fromhex(was["hash"]), leaf).hex()
            streams[stream] = {"last": seq, "hash": running}
            if seq == due["last"] and running != due["hash"]:
                where = f"{stream} {before.get(stream, START)['last'] + 1} to {seq}"
                raise ValueError(f"not what checkpoint {signed['number']} signs")
        where = "the file's end"
        _need(signed, "there is no checkpoint in it")
        _need(head["messages"] == counts["lines"], f"{head['messages']} lines should follow the first")
        _need(head["roster"] == signed["roster"], "its first line has other keys than the notary signed")
        for where, name, sha256 in run.due:  # noqa: B007 - told where it fails
            _need(run.found.get(name) and sha256 in ("", run.found[name]), f"{name} of it is missing, or another one")
        where = f"run {run.name}"
        _need(run.ended or unfinished or not run.name, f"it stops at event {run.events}, before its end")
    except (ValueError, TypeError, KeyError, AttributeError) as wrong:
        return {"verified": False, "record": where, "why": str(wrong) or repr(wrong)}
    last = {"number": signed["number"], "sha256": digest, "at": signed["at"]}
    return {"verified": True, "run": run.name, "notary": key, "after": head["after"], "last": last, **counts}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="`-` for standard input")
    parser.add_argument("--notary-key", default="", help="whom to trust; without it, whom the file names")
    parser.add_argument("--unfinished", action="store_true", help="accept a run that has not ended")
    parser.add_argument("--allow-foreign", action="store_true", help="count what nobody entitled sealed, and go on")
    options = parser.parse_args()
    lines = open(0 if options.file == "-" else options.file, encoding="utf-8")  # noqa: SIM115 - to the end
    outcome = verify(lines, options.notary_key, options.unfinished, options.allow_foreign)
    print(json.dumps(outcome, indent=2))  # noqa: T201 - what it is for
    sys.exit(not outcome["verified"])
