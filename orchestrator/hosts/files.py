"""A host's file is replaced as a whole or not at all, and what it said before is kept beside it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from orchestrator.errors import ConfigError
from orchestrator.hosts.errors import Malformed
from orchestrator.hosts.formats import Change

ATTEMPTS = 5
"""How often an edit is made anew because somebody else changed the file in the meantime."""


@dataclass(frozen=True, slots=True)
class Update:
    """What was done to a file; `backup` is None where nothing was written, or nothing was there."""

    change: Change
    backup: Path | None = None


def look(file: Path, edit: Callable[[str], Change]) -> Change:
    """What `edit` would make of the file; nothing is written.

    Raises:
        EditError: it cannot be edited.
        ConfigError: it is not a file that can be read.
    """
    return edit(_text(_content(file)))


def update(file: Path, edit: Callable[[str], Change], now: datetime) -> Update:
    """Edit the file, if that changes anything; a link stays a link, and the mode stays as it is.

    Raises:
        EditError: it cannot be edited; nothing was written.
        ConfigError: it is not ours to write, or never stands still; nothing was written.
    """
    for _ in range(ATTEMPTS):
        before = _content(file)
        change = edit(_text(before))
        if change.after == change.before:
            return Update(change)
        target = file.resolve()
        mode = _mode(file, target)
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = _create(target.with_name(f"{target.name}.podium.new"), change.after.encode(), mode)
        try:
            backup = None if before is None else _create(_backup_of(file, now), before, mode)
            if _content(file) == before:
                draft.replace(target)
                return Update(change, backup)
            if backup is not None:
                backup.unlink()
        finally:
            draft.unlink(missing_ok=True)
    raise ConfigError(str(file), "", "it changes all the time", "Close the host, then say this again.")


def undo(file: Path, done: Update) -> None:
    """Put back what was there before an update, unless somebody has changed it since.

    Raises:
        ConfigError: it cannot be read.
    """
    if done.change.after == done.change.before or _content(file) != done.change.after.encode():
        return
    if done.backup is None:
        file.unlink()
    else:
        done.backup.replace(file.resolve())


def _content(file: Path) -> bytes | None:
    """None where there is no file yet."""
    if file.exists() and not file.is_file():
        raise ConfigError(str(file), "", "it is not a file", "Move it away, then say this again.")
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def _text(content: bytes | None) -> str:
    try:
        return (content or b"").decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"byte {error.start + 1}: it is not UTF-8") from error


def _mode(file: Path, target: Path) -> int | None:
    """The permissions it has and keeps; None where there is no file yet.

    Raises:
        ConfigError: it is not ours to write.
    """
    if not target.exists():
        return None
    status = target.stat()
    if status.st_uid != os.geteuid():
        raise ConfigError(str(file), "", "it belongs to somebody else", "Say this as the user whose file it is.")
    if not status.st_mode & stat.S_IWUSR:
        away = f" ({target})" if target != file else ""
        raise ConfigError(
            str(file),
            "",
            f"it is read-only{away}, so something else manages it",
            "Add the entry there (--print shows it), or make the file writable.",
        )
    return stat.S_IMODE(status.st_mode)


def _backup_of(file: Path, now: datetime) -> Path:
    return file.with_name(f"{file.name}.{now:%Y%m%dT%H%M%SZ}.bak")


def _create(wanted: Path, content: bytes, mode: int | None) -> Path:
    """A new file under that name, or, where it is taken, under that name and a number."""
    number = 1
    while True:
        path = wanted if number == 1 else wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode)
            break
        except FileExistsError:
            number += 1
    with open(fd, "wb") as stream:
        if mode is not None:
            os.fchmod(fd, mode)  # as it is, whatever the umask
        stream.write(content)
        stream.flush()
        os.fsync(fd)
    return path
