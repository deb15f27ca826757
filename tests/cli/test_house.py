"""Broker and crew come with a command, go with it, and stay only when they are told to."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator import house as houses
from tests.cli.conftest import Podium, make_project, wait_for_end


def test_what_a_command_starts_is_gone_when_the_command_is(fresh: Podium) -> None:
    """A reading command on an empty state directory starts what it needs, answers, and leaves nothing running."""
    assert fresh("status", "--json").document["running"] is False

    with fresh.begin("runs", "--json") as process:
        out, err = process.communicate()

    assert (process.returncode, out.strip()) == (0, "[]"), err
    assert_all_gone(fresh)


def test_the_crew_of_the_house_before_is_not_listed(fresh: Podium) -> None:
    """Whoever asks right after another command sees this crew, not the one that has just ended with it."""
    before = _cards(fresh("agents", "--json").out)
    fresh("down")
    now = _cards(fresh("agents", "--json").out)
    assert now != before
    assert len(now) == len(before)


def test_up_stays_until_down(fresh: Podium) -> None:
    """`up` is idempotent, `status` tells, `down` waits until all is gone and says when nothing ran."""
    first, second = fresh("up", "--json").document, fresh("up", "--json").document

    assert first["house"]["pid"] == second["house"]["pid"]
    assert fresh("status", "--json").document["house"]["keep"] is True
    assert fresh("down", "--json").document == {"stopped": True}
    assert fresh.processes() == []
    assert fresh("down", "--json").document == {"stopped": False}


def test_commands_that_start_at_the_same_time_share_one_house(fresh: Podium) -> None:
    """Whoever loses the race for the lock uses the winner's house."""
    together = [fresh.begin("agents", "--json") for _ in range(3)]
    answers = [process.communicate() for process in together]

    assert [process.returncode for process in together] == [0, 0, 0], answers
    assert len({tuple(card["pid"] for card in _cards(out)) for out, _ in answers}) == 1


def test_killing_a_command_ends_what_it_started(fresh: Podium, tmp_path: Path) -> None:
    """kill -9 closes its connection, and with the last connection the house ends."""
    project = make_project(tmp_path / "shop")
    with fresh.begin("run", "fix-bug", "--repo", str(project.root), "--test", "tests", "--auto", "all") as process:
        assert process.stderr is not None
        assert "Take in the repository" in process.stderr.readline()
        process.kill()

    assert_all_gone(fresh)


def test_an_interrupted_run_says_how_to_go_on(fresh: Podium, tmp_path: Path) -> None:
    """Ctrl-C ends with 130 and the command that resumes; the run is in the ledger as far as it got."""
    project = make_project(tmp_path / "shop")
    with fresh.begin("run", "fix-bug", "--repo", str(project.root), "--test", "tests/test_stock.py") as process:
        assert process.stderr is not None
        assert "Take in the repository" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()

    run = fresh("runs", "--json").document[0]["task"]["run"]
    assert process.returncode == 130
    assert f"podium resume {run}" in err
    assert "Traceback" not in err


def test_a_house_with_other_keys_is_not_asked_in_silence(fresh: Podium, tmp_path: Path) -> None:
    """Who has a key that the house was not given is told so; who has none, or the same, uses it as it is."""
    here = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:1", "ANTHROPIC_API_KEY": ""}
    there = {**here, "ANTHROPIC_BASE_URL": "http://127.0.0.1:2"}
    assert fresh("up", env=here).code == 0

    assert fresh("up", env=here).code == 0
    assert fresh("up", env={"ANTHROPIC_BASE_URL": "", "ANTHROPIC_API_KEY": ""}).code == 0
    for other, word in ((there, "with another ANTHROPIC_BASE_URL"), ({"ANTHROPIC_API_KEY": "k"}, "without ANTHROPIC")):
        refused = fresh("up", "--json", env=other)
        assert refused.code == 1
        assert word in refused.document["error"]["message"]
        assert "podium down" in refused.document["error"]["way_out"]
        looked = {check["name"]: check for check in fresh("doctor", "--json", env=other).document}
        assert looked["house"]["level"] == "warn"
        assert word in looked["house"]["found"]
    run = ("run", "fix-bug", "--test", "t", "--json", "--repo", str(make_project(tmp_path / "shop").root))
    assert "with another ANTHROPIC_BASE_URL" in fresh(*run, env=there).document["error"]["message"]
    assert fresh("runs", "--json", env=there).document == [], "looking asks no model, and nothing was begun"
    assert "digests" not in fresh("status", "--json").out


TWO_AFTER_EACH_OTHER = """
import sys
from pathlib import Path
import anyio
from orchestrator.house import house

async def main(state):
    async with house(state):
        pass
    async with house(state, unsandboxed=True) as found:
        print(found.unsandboxed)

anyio.run(main, Path(sys.argv[1]))
"""


def test_a_house_that_does_not_suit_and_that_nobody_holds_is_replaced(fresh: Podium) -> None:
    """It is about to end and is waited for, without being held meanwhile: two commands may well differ."""
    command = [sys.executable, "-c", TWO_AFTER_EACH_OTHER, str(fresh.state)]
    done = subprocess.run(command, env=fresh.environment(), capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "True", done.stderr


def test_a_broken_models_file_stops_only_who_asks_a_model(fresh: Podium, tmp_path: Path) -> None:
    """Looking and deciding go on; a command that would ask says what is wrong and where."""
    file = tmp_path / "models.toml"
    file.write_text("[endpoints.local")
    broken = {"PODIUM_MODELS": str(file)}

    assert fresh("runs", "--json", env=broken).document == []
    looked = {check["name"]: check["level"] for check in fresh("doctor", "--json", env=broken).document}
    assert (looked["models"], looked["crew"]) == ("fail", "ok")
    refused = fresh("up", "--json", env=broken)
    assert refused.code == 1
    assert str(file) in refused.document["error"]["message"]


def test_no_program_that_a_command_starts_finds_the_keys(fresh: Podium, tmp_path: Path) -> None:
    """The doctor asks git for its version, the demo makes commits: keys are gone from the environment before that."""
    seen, git = tmp_path / "seen", shutil.which("git")
    (tmp_path / "git").write_text(f'#!/bin/sh\nenv >> "{seen}"\nexec {git} "$@"\n')
    (tmp_path / "git").chmod(0o755)
    secrets = {"ANTHROPIC_API_KEY": "a-key-of-mine", "ANTHROPIC_BASE_URL": "http://ann:pass-of-mine@127.0.0.1:1"}

    env = {**secrets, "PATH": f"{tmp_path}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)}

    done = fresh("doctor", "--json", env=env)
    by_doctor = seen.read_text()
    with fresh.begin("demo", env=env) as demo:
        assert demo.stdout is not None
        assert "Podium" in demo.stdout.readline(), "it says so once its project is committed"
        demo.send_signal(signal.SIGINT)
        demo.communicate()

    looked = {check["name"]: check["found"] for check in done.document}
    assert "can be asked: anthropic (http://127.0.0.1:1)" in looked["models"], "the address is enough"
    assert "PODIUM_STATE_DIR" in by_doctor
    assert len(seen.read_text()) > len(by_doctor)
    assert "of-mine" not in seen.read_text() + done.out + done.err


def test_a_state_directory_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    """The message names it, and the variable that chooses another."""
    (tmp_path / "file").touch()

    done = Podium(tmp_path / "file" / "state")("runs", "--json")

    assert done.code == 1
    assert "cannot be used" in done.document["error"]["message"]
    assert "PODIUM_STATE_DIR" in done.document["error"]["way_out"]


def test_a_state_directory_may_have_a_long_name(tmp_path: Path) -> None:
    """A unix socket's path takes 107 bytes; a directory's name does not end there."""
    podium = Podium(tmp_path / ("long " * 20) / ("longer" * 10))
    try:
        assert podium("runs", "--json").document == []
    finally:
        podium("down")


def test_a_house_that_does_not_start_shows_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken store is said with the end of the log and where the log is."""
    state = tmp_path / "state"
    (state / "broker").mkdir(parents=True)
    (state / "broker" / "jetstream").write_text("not a directory")

    done = Podium(state)("agents", "--json")

    assert done.code == 1
    assert str(state / "house.log") in done.err or "doctor" in done.err
    assert "Traceback" not in done.err


def test_the_state_directory_is_the_users_unless_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`PODIUM_STATE_DIR` first, else the platform's place for state."""
    monkeypatch.setenv("PODIUM_STATE_DIR", str(tmp_path))
    assert houses.state_dir() == tmp_path
    monkeypatch.delenv("PODIUM_STATE_DIR")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert houses.state_dir() == tmp_path / "podium"


def _cards(out: str) -> list[dict[str, int]]:
    import json

    cards: list[dict[str, int]] = json.loads(out)
    return cards


def assert_all_gone(podium: Podium) -> None:
    """Wait for the end of everything that belongs to the state directory."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal() or int(folder.name) == os.getpid():
            continue
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(os.fsencode(podium.state) in word for word in words):
            assert wait_for_end(int(folder.name)), words
    assert podium.processes() == []
