"""A run's messages as a file: whole, exact, checkable without a broker, and nobody else's to read."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from bus.bus import Stored
from contracts.base import utc_now
from orchestrator.recording import RecordingError, opened, record
from orchestrator.recording_file import Line, load
from tests.orchestrator.crew import RUN
from tests.orchestrator.stage import AUTO_ALL, TASK, WORKFLOW
from tests.replay.kept import SERVERS, KeptStage, save
from tests.replay.record import GOOD as FIX_BUG


async def test_a_file_holds_what_the_ledger_holds(kept: KeptStage, tmp_path: Path) -> None:
    """Written and read again, every message is the stored one: subject, headers, body, number and time."""
    await kept.run()
    recording = await kept.recording()
    save(recording, tmp_path / "run.jsonl")
    assert load(tmp_path / "run.jsonl") == recording
    ledger = [stream for name, stream in kept.broker.streams.items() if name.startswith("LEDGER_")]
    stored = [each for stream in ledger for each in stream]
    assert sorted(recording.messages, key=str) == sorted(stored, key=str)
    assert recording.roster["orchestrator"] == kept.broker.identities["orchestrator"].public
    header, *lines = (tmp_path / "run.jsonl").read_text().splitlines()
    assert json.loads(header)["podium_export"] == 2
    assert {key for line in lines for key in json.loads(line)} == set(Line.model_fields)


async def test_only_its_owner_may_read_a_file(kept: KeptStage, tmp_path: Path) -> None:
    """It holds prompts and code; a file that is there is replaced on demand only."""
    await kept.run()
    recording, file = await kept.recording(), tmp_path / "run.jsonl"
    save(recording, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        save(recording, file)
    file.write_text("old")
    file.chmod(0o644)
    save(recording, file, force=True)
    assert load(file) == recording
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.glob("*.jsonl*")] == ["run.jsonl"]
    assert not list(tmp_path.glob(".*"))


async def test_other_runs_are_left_out(kept: KeptStage) -> None:
    """Only what belongs to the run: its events and gates, its calls and their answers."""
    await kept.run()
    alone = await kept.recording()
    other = TASK.model_copy(update={"run": "r-other"})
    await kept.conductor().start(other, WORKFLOW, AUTO_ALL)
    assert await kept.recording() == alone
    assert all(b"r-other" not in each.body for each in alone.messages)


async def test_calls_of_agents_are_in_it(kept: KeptStage) -> None:
    """What an agent asked on behalf of the run belongs to it, with the answer."""
    outcome = await kept.run()
    proposing = next(call for call in outcome.state.calls if call.tool == "propose")
    made = await kept.nested(proposing, "test_runner", "run", TASK, TASK)
    recording = await kept.recording()
    assert sum(each.subject.endswith(made) for each in recording.messages) == 2
    contents = await opened(recording)
    assert made in {each.call.subject.rpartition(".")[2] for each in contents.exchanges}
    assert made not in contents.answers


async def test_a_server_that_left_the_crew_is_not_left_out_in_silence(kept: KeptStage) -> None:
    """Its stream cannot be read; a recording without it would not be whole, so there is none."""
    await kept.run()
    with pytest.raises(RecordingError, match=r"called test_runner, .*crew"):
        await record(kept.bus, RUN, set(SERVERS) - {"test_runner"})


async def test_what_nobody_entitled_sealed_is_left_out_and_counted(kept: KeptStage) -> None:
    """A forged event, decision and answer do not count; the rest stands."""
    await kept.run()
    before = await opened(await kept.recording())
    forger = kept.broker.connect("code_writer")
    await forger.store(f"run.{RUN}.resumed", b"{}")
    await forger.store(f"gate.{RUN}.plan.decision", b"{}")
    first = next(iter(before.answers))
    await forger.store(f"result.orchestrator.workspace.{first}", b"{}")
    after = await opened(await kept.recording())
    assert (len(after.foreign), len(before.foreign)) == (3, 0)
    assert after.answers == before.answers
    assert after.events == before.events


def test_bytes_that_are_no_text_survive() -> None:
    """They are written as base64."""
    kept = Stored("LEDGER_x", 1, "call.x.y.z.1", b"\xff\x00{", {"a": "b"}, utc_now())
    line = Line.of(kept)
    assert line.encoding == "base64"
    assert Line.model_validate_json(line.model_dump_json()).stored() == kept
    text = replace(kept, body="déjà\u2028vu".encode())
    assert Line.of(text).encoding == "utf-8"
    assert Line.of(text).stored() == text


def test_a_file_that_was_cut_is_no_recording(tmp_path: Path) -> None:
    """The first line says how many messages there are."""
    lines = FIX_BUG.read_text(encoding="utf-8").splitlines(keepends=True)
    file = tmp_path / "run.jsonl"
    file.write_text("".join(lines[:-1]), encoding="utf-8")
    with pytest.raises(RecordingError, match="was cut"):
        load(file)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"podium_export":2}'])
def test_what_is_no_recording_is_said(tmp_path: Path, content: bytes) -> None:
    """The message names the command that makes one."""
    file = tmp_path / "run.jsonl"
    file.write_bytes(content)
    with pytest.raises(RecordingError, match="podium audit export"):
        load(file)
