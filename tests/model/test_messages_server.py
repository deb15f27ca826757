"""The scripted endpoint as a process of its own, as tests of the command line use it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import anyio
import httpx2
from anyio.streams.text import TextReceiveStream

from servers.model import ModelServer
from tests.model.rig import GOOD, KEY, MODEL, RUN, AskedCall, MemoryLedger, models, params, room

ROOT = Path(__file__).resolve().parents[2]


async def test_it_answers_by_the_replys_name_and_tells_what_it_was_asked(tmp_path: Path):
    script = {
        "rules": [
            {"name": "plan", "steps": [{"reply": {"answer": 1}}], "again": True},
            {"contains": "the answer", "steps": [{"text": "hm"}, {"reply": GOOD}]},
        ]
    }
    file = tmp_path / "script.json"
    file.write_text(json.dumps(script))
    command = [sys.executable, "-m", "tests.model.messages_server", "--script", str(file)]
    with anyio.fail_after(60):
        async with await anyio.open_process(command, cwd=ROOT) as process:
            try:
                assert process.stdout is not None
                url = (await TextReceiveStream(process.stdout).receive()).strip()
                keys = {"SCRIPTED_KEY": KEY}
                server = ModelServer(room(keys, MemoryLedger()), models=models(url))
                plan = await server.complete(params(reply_name="plan"), AskedCall())
                answer = await server.complete(params(), AskedCall())
                again = await server.complete(params(reply_name="plan"), AskedCall())
                async with httpx2.AsyncClient() as client:
                    told = (await client.get(f"{url}/_requests")).json()
            finally:
                process.terminate()
    assert (plan.reply, answer.reply, again.reply) == ({"answer": 1}, GOOD, {"answer": 1})
    assert [(one["name"], one["way"]) for one in told] == [
        ("plan", "schema"),
        ("answer", "schema"),
        ("answer", "tool"),
        ("plan", "tool"),
    ]
    assert {one["model"] for one in told} == {MODEL}
    assert RUN not in str(told), "a run's name is nothing to an endpoint"
