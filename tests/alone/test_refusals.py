"""What cannot be served alone says so on standard error, with what to do instead; nothing goes to the host."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.alone.conftest import Alone


@pytest.mark.parametrize(
    ("name", "why", "way_out"),
    [
        ("code_writer", "it calls repository, test_runner, model", "podium mcp --only code_writer"),
        ("test_writer", "it calls repository, test_runner, model", "podium mcp --only test_writer"),
        ("model", "budget of a run", "podium mcp --only model"),
        ("workspace", "it writes the worktree of a run", "podium mcp --only workspace"),
        ("nobody", "no specialist of Podium's own", "repository, static_analyzer, test_runner"),
    ],
)
def test_who_needs_more_than_a_checkout_is_refused_with_the_way_out(
    alone: Alone, name: str, why: str, way_out: str
) -> None:
    """Others, a run's budget, a run's worktree: `podium mcp` has them."""
    done = alone.podium(*alone.arguments(name))
    assert (done.code, done.out) == (2, "")
    assert why in done.err
    assert way_out in done.err


def test_a_grant_that_was_taken_away_in_the_crew_file_is_taken_away_here_too(alone: Alone) -> None:
    """Rights come from the crew file and from nowhere else."""
    alone.podium.crew.write_text('[servers.test_runner]\nscopes = ["work:read"]\n', encoding="utf-8")
    done = alone.podium(*alone.arguments("test_runner"))
    assert (done.code, done.out) == (2, "")
    assert "test_runner needs sandbox:run" in done.err


def test_a_folder_without_a_checkout_is_an_error_that_says_what_to_do(alone: Alone, tmp_path: Path) -> None:
    """Before anything is started."""
    done = alone.podium("serve", "repository", "--stdio", "--repo", str(tmp_path))
    assert (done.code, done.out) == (1, "")
    assert "is not in a git repository" in done.err
    assert "--repo" in done.err


def test_a_checkout_without_a_commit_is_an_error(alone: Alone) -> None:
    """There is nothing to be at."""
    alone.project.git("update-ref", "-d", "HEAD")
    done = alone.podium(*alone.arguments("repository"))
    assert (done.code, done.out) == (1, "")
    assert "no commits yet" in done.err


def test_a_state_directory_that_cannot_be_used_is_an_error(alone: Alone) -> None:
    """And not a traceback."""
    alone.podium.state.write_text("a file", encoding="utf-8")
    done = alone.podium(*alone.arguments("repository"))
    assert (done.code, done.out) == (1, "")
    assert "PODIUM_STATE_DIR" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["repository", "--stdio", "--grant", "work:write"], "--grant has no meaning with --stdio"),
        (["--stdio"], "one specialist is served"),
        (["repository", "test_runner", "--stdio"], "one specialist is served"),
        (["agents/doc_writer.py", "--repo", "."], "--repo is for --stdio"),
    ],
)
def test_a_command_line_that_asks_for_two_things_is_refused(alone: Alone, arguments: list[str], why: str) -> None:
    """Rights are not given here, and what joins the crew has no checkout of its own."""
    done = alone.podium("serve", *arguments)
    assert (done.code, done.out) == (2, "")
    assert why in done.err
