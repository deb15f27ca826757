"""A prompt that no message of the broker holds."""

from __future__ import annotations

from pathlib import Path

from bus.broker import MAX_PAYLOAD
from bus.caller import new_call_id, open_caller
from bus.grants import Grant
from contracts.model import CompleteResult, Turn
from tests.bus.echo import served
from tests.bus.rigs import nats_rig
from tests.model.rig import GOOD, params, rig
from tests.peak import peak

CREW = (
    Grant("operator", operates=True),
    Grant("code_writer", calls=("model.complete",)),
    Grant("model", serves=True, accounts=True),
)


async def test_a_prompt_larger_than_a_message_reaches_the_endpoint_whole(tmp_path: Path) -> None:
    """From the writer over a real broker to the endpoint's own protocol; how much memory that takes is bounded."""
    text = "What does this do?\n" + "".join(f"line {number} of a very long file\n" for number in range(320_000))
    asked = params(turns=(Turn(role="user", text=text),))
    assert len(text) > MAX_PAYLOAD
    async with rig([{"reply": GOOD}, {"reply": GOOD}]) as at, nats_rig(tmp_path, CREW) as broker:
        async with broker.connect("model") as server, broker.connect("code_writer") as bus, open_caller(bus) as caller:
            async with served(server, at.server):
                await at.complete()  # so that what is imported for the first question is not counted
                with peak() as asking:
                    result = await caller.call("model", "complete", asked, CompleteResult, call_id=new_call_id())
    assert result.reply == GOOD
    assert at.endpoint.requests[-1].text.count(text) == 1
    assert asking.grown_bytes < 16 * len(text)
