"""The file of `podium audit export`: JSON Lines, a `Header` and then a line for each stored message.

Between the run's own messages stand those that prove that they are what they were (`orchestrator/proof.py`): the
notary's checkpoints, each before the messages it signs for, and `Withheld` in the place of messages of others. A replay
needs neither, and `podium audit verify` all of them. docs/audit.md describes it for who reads it without Podium.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError

from bus.bus import Stored
from contracts.base import Model, RunId, Sha256
from contracts.ledger import RUNS_STREAM
from orchestrator.recording import Recording, RecordingError


class Header(Model):
    """The first line of the file."""

    podium_export: Literal[1, 2] = Field(default=2, description="Version of the format; 1 had no proof in it.")
    run: RunId | None = Field(description="None: it is the whole ledger.")
    version: str = Field(description="Of the Podium that wrote the file.")
    roster: dict[str, str] = Field(description="Identity name to nkey public key; of the last checkpoint, if any.")
    messages: int = Field(ge=0, description="Lines that follow; fewer mean that the file was cut.")
    notary: str = Field(default="", description="Public key of who signed the checkpoints.")
    after: int | None = Field(default=None, description="The checkpoint that it begins behind; None: with the first.")


class Line(Model):
    """A stored message."""

    stream: str
    seq: int
    subject: str
    headers: dict[str, str]
    stored_at: datetime
    body: str
    encoding: Literal["utf-8", "base64"] = "utf-8"

    @classmethod
    def of(cls, kept: Stored) -> Self:
        """The line that says `kept`."""
        line = cls(
            stream=kept.stream,
            seq=kept.seq,
            subject=kept.subject,
            headers=dict(kept.headers),
            stored_at=kept.stored_at,
            body="",
        )
        try:
            return line.model_copy(update={"body": kept.body.decode()})
        except UnicodeDecodeError:
            return line.model_copy(update={"body": base64.b64encode(kept.body).decode(), "encoding": "base64"})

    def stored(self) -> Stored:
        """The message this line says."""
        body = base64.b64decode(self.body) if self.encoding == "base64" else self.body.encode()
        return Stored(self.stream, self.seq, self.subject, body, self.headers, self.stored_at)


class Signed(Model):
    """A checkpoint of the notary's, which signs for what follows."""

    checkpoint: str = Field(description="`contracts.checkpoint.Checkpoint`, byte for byte as it was signed.")
    seal: str = Field(description="`Podium-Seal`; its subject is `notary.checkpoint`.")


class Withheld(Model):
    """A message that is nobody's business here: what the chain needs of it."""

    stream: str
    seq: int
    leaf: Sha256


_line = TypeAdapter[Line | Signed | Withheld](Line | Signed | Withheld)


def load(file: Path) -> Recording:
    """The recording in `file`.

    Raises:
        RecordingError: it is none, or it was cut.
        OSError: it cannot be read.
    """
    try:
        first, *rest = file.read_text(encoding="utf-8").split("\n")
        header = Header.model_validate_json(first)
        lines = [_line.validate_json(line) for line in rest if line]
    except (ValidationError, ValueError) as wrong:
        raise RecordingError(
            f"the file {file} is no recording of a run ({str(wrong).splitlines()[0]}); `podium audit export` writes one"
        ) from wrong
    if header.run is None:
        raise RecordingError(f"the file {file} holds a whole ledger; export one run of it")
    if len(lines) != header.messages:
        held = f"{len(lines)} of {header.messages} messages"
        raise RecordingError(f"the file {file} was cut: it holds {held}; export it anew")
    messages = (line.stored() for line in lines if isinstance(line, Line))
    return Recording(header.run, header.version, header.roster, tuple(sorted(messages, key=_order)))


def _order(kept: Stored) -> tuple[bool, str]:
    return kept.stream != RUNS_STREAM, kept.stream


@contextmanager
def writing(file: Path, *, force: bool = False) -> Generator[Callable[[str], object]]:
    """Takes lines for `file`; as `drafting`."""
    with drafting(file, force=force) as draft, os.fdopen(os.dup(draft.fileno()), "w", encoding="utf-8") as fresh:
        yield lambda line: fresh.write(f"{line}\n")


@contextmanager
def drafting(file: Path, *, force: bool = False) -> Generator[BinaryIO]:
    """What becomes `file` once all is written; only its owner may read it: it holds prompts and code.

    Raises:
        FileExistsError: there is something, and it was not to be replaced.
        OSError: it cannot be written.
    """
    if file.exists() and not force:
        raise FileExistsError(file)  # before the work is done; below, it counts what is there then
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as fresh:
            yield fresh
        if force:
            draft.replace(file)
        else:
            os.link(draft, file)
    finally:
        draft.unlink(missing_ok=True)
