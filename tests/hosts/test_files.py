"""A host's file is replaced whole or not at all, and what it said before can always be had again."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.errors import ConfigError
from orchestrator.hosts.errors import Malformed
from orchestrator.hosts.files import ATTEMPTS, look, update
from orchestrator.hosts.formats import Change

NOW = datetime(2026, 11, 5, 7, 8, 9, tzinfo=UTC)
STAMP = "20261105T070809Z"


def edit(text: str) -> Change:
    return Change(text, f"{text}+")


def names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "mcp.json"
    made.write_bytes(b"one\r\n")
    made.chmod(0o640)
    return made


def test_the_file_is_replaced_and_kept_beside_it_with_its_mode(file: Path) -> None:
    backup = file.with_name(f"mcp.json.{STAMP}.bak")
    assert update(file, edit, NOW).backup == backup
    assert (file.read_bytes(), backup.read_bytes()) == (b"one\r\n+", b"one\r\n")
    assert [stat.S_IMODE(each.stat().st_mode) for each in (file, backup)] == [0o640, 0o640]
    assert names(file.parent) == {"mcp.json", backup.name}


def test_the_mode_is_kept_whatever_the_umask(file: Path) -> None:
    file.chmod(0o666)
    before = os.umask(0o077)
    try:
        update(file, edit, NOW)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o666


def test_no_backup_takes_the_place_of_another(file: Path) -> None:
    """Not even of one made in the same second."""
    kept = [update(file, edit, NOW).backup for _ in range(3)]
    assert [each and each.read_bytes() for each in kept] == [b"one\r\n", b"one\r\n+", b"one\r\n++"]
    assert len(set(kept)) == 3


def test_an_edit_that_changes_nothing_writes_nothing(file: Path) -> None:
    before = file.stat()
    done = update(file, lambda text: Change(text, text), NOW)
    assert done.backup is None
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert names(file.parent) == {"mcp.json"}


def test_looking_writes_nothing(file: Path) -> None:
    assert look(file, edit).after == "one\r\n+"
    assert look(file.with_name("other"), edit) == Change("", "+")
    assert names(file.parent) == {"mcp.json"}
    assert file.read_bytes() == b"one\r\n"


def test_a_file_that_is_not_there_is_made_with_its_folders(tmp_path: Path) -> None:
    file = tmp_path / "a/b/mcp.json"
    assert update(file, edit, NOW).backup is None
    assert file.read_text() == "+"


def test_a_link_stays_a_link(file: Path, tmp_path: Path) -> None:
    """As in a folder of dotfiles; the backup lies where the person looks, not among those."""
    link = tmp_path / "home/mcp.json"
    link.parent.mkdir()
    link.symlink_to(file)
    done = update(link, edit, NOW)
    assert link.is_symlink()
    assert file.read_bytes() == b"one\r\n+"
    assert done.backup is not None
    assert done.backup.parent == link.parent
    assert names(tmp_path) == {"mcp.json", "home"}


def test_a_link_to_nothing_gets_its_file(tmp_path: Path) -> None:
    link = tmp_path / "mcp.json"
    link.symlink_to(tmp_path / "dotfiles/mcp.json")
    update(link, edit, NOW)
    assert link.is_symlink()
    assert (tmp_path / "dotfiles/mcp.json").read_text() == "+"


def test_an_edit_that_fails_leaves_everything_as_it_was(file: Path) -> None:
    def fail(text: str) -> Change:
        raise Malformed("line 1")

    with pytest.raises(Malformed):
        update(file, fail, NOW)
    assert file.read_bytes() == b"one\r\n"
    assert names(file.parent) == {"mcp.json"}


def test_what_somebody_writes_in_the_meantime_is_not_lost(file: Path) -> None:
    """Claude Code and Goose write their files themselves: the edit is made anew on what they wrote."""
    theirs = iter([b"two\n"])

    def edit_while_the_host_writes(text: str) -> Change:
        for content in theirs:
            file.write_bytes(content)
        return edit(text)

    done = update(file, edit_while_the_host_writes, NOW)
    assert file.read_bytes() == b"two\n+"
    assert done.backup is not None
    assert done.backup.read_bytes() == b"two\n"
    assert names(file.parent) == {"mcp.json", done.backup.name}


def test_a_file_that_never_stands_still_is_left_to_its_host(file: Path) -> None:
    written: list[str] = []

    def edit_while_the_host_writes(text: str) -> Change:
        written.append(text)
        file.write_text(f"{len(written)}")
        return edit(text)

    with pytest.raises(ConfigError, match="changes all the time"):
        update(file, edit_while_the_host_writes, NOW)
    assert file.read_text() == str(len(written)) == str(ATTEMPTS)
    assert names(file.parent) == {"mcp.json"}


def test_a_read_only_file_is_somebody_elses_to_write(file: Path) -> None:
    """A configuration manager's, most likely; a rename would get around the mode."""
    file.chmod(0o444)
    with pytest.raises(ConfigError, match="read-only"):
        update(file, edit, NOW)
    assert names(file.parent) == {"mcp.json"}


def test_another_users_file_is_theirs(file: Path) -> None:
    """As with sudo, which would leave them a file of root's."""
    if os.geteuid() == 0:
        os.chown(file, 65534, -1)
    else:
        file.unlink()
        file.symlink_to("/etc/hosts")
    before = file.read_bytes()
    with pytest.raises(ConfigError, match="belongs to somebody else"):
        update(file, edit, NOW)
    assert file.read_bytes() == before
    assert names(file.parent) == {"mcp.json"}


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a file"):
        update(tmp_path, edit, NOW)


def test_a_file_that_is_not_utf_8_is_broken(file: Path) -> None:
    file.write_bytes("{}".encode("utf-16"))
    with pytest.raises(Malformed, match="byte 1: it is not UTF-8"):
        update(file, edit, NOW)
    assert names(file.parent) == {"mcp.json"}
