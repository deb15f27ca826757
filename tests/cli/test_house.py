"""Broker and crew come with a command, go with it, and stay only when they are told to."""

from __future__ import annotations

import os
import signal
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
