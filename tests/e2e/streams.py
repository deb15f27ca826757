"""Counts a run's calls straight from the streams, without anything the audit is made of."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import nats

from bus.account import control_of
from bus.connect import identities
from bus.grants import OPERATOR
from bus.identity import load_identity


async def stored_calls(state: Path, url: str, run: str) -> list[dict[str, object]]:
    """The calls that say they belong to `run`, in the order they were stored, with their results."""
    operator = load_identity(identities(state), OPERATOR)
    client = await nats.connect(url, nkeys_seed_str=operator.seed)  # pyright: ignore[reportUnknownMemberType] - untyped options
    try:
        stream = client.jetstream(prefix=f"{control_of(operator)}.API")  # pyright: ignore[reportUnknownMemberType] - untyped options
        found: list[tuple[str, dict[str, object]]] = []
        for info in await stream.streams_info():
            if not info.config.name or not info.config.name.startswith("LEDGER_") or info.config.name == "LEDGER_runs":
                continue
            messages = [
                await stream.get_msg(info.config.name, seq)
                for seq in range(max(1, info.state.first_seq), info.state.last_seq + 1)
            ]
            results = {m.subject.split(".")[3]: m for m in messages if m.subject and m.subject.startswith("result.")}
            for message in messages:
                body = json.loads(message.data or b"")
                if message.subject and message.subject.startswith("call."):
                    if body["params"]["_meta"].get("io.podium/run") != run:
                        continue
                    _, server, tool, caller, call_id = message.subject.split(".")
                    answer = json.loads(results[call_id].data or b"")["result"]["structuredContent"]
                    found.append(
                        (
                            str(message.time),
                            {
                                "call_id": call_id,
                                "caller": caller,
                                "server": server,
                                "tool": tool,
                                "seq": message.seq,
                                "params_sha256": _sha256(body["params"]["arguments"]),
                                "result_sha256": _sha256(answer),
                            },
                        )
                    )
        return [call for _, call in sorted(found, key=lambda each: each[0])]
    finally:
        await client.close()


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()
