"""A tree as a git pack: the objects of it that whoever asks does not have yet."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Sequence
from pathlib import Path

from servers.run_git import run_git
from servers.specialist import ToolError

MAX_PACK_BYTES = 96 << 20
"""Of a pack: as base64 in a result it stays well below what the bus carries at all (`bus.claims.MAX_BODY`)."""


def pack(repository: Path, tree: str, have: Sequence[str], folder: Path, *, most: int = MAX_PACK_BYTES) -> str:
    """In base64, the objects of `tree` that are in none of the trees `have`; empty when there are none.

    Trees that the repository does not know count for nothing. `folder` is for the pack on its way, and is removed.

    Raises:
        ToolError: limit, when it has more than `most` bytes; internal, with git's message.
    """
    shutil.rmtree(folder, ignore_errors=True)  # of whoever was killed here
    folder.mkdir()
    try:
        asked = "\n".join([tree, *(f"^{known}" for known in _known(repository, have))])
        # To a file, so that its size is known before it is held.
        run_git(
            repository,
            "pack-objects",
            "--quiet",
            "--revs",
            "--non-empty",
            str(folder / "made"),
            stdin=f"{asked}\n".encode(),
        )
        made = next(folder.glob("made-*.pack"), None)
        if made is None:
            return ""
        if (size := made.stat().st_size) > most:
            raise ToolError(
                "limit",
                f"the worktree comes to a pack of {size} bytes; at most {most} are sent",
                way_out="Stop the replica: on the house's own machine trees are read from the disk.",
            )
        return base64.b64encode(made.read_bytes()).decode()
    finally:
        shutil.rmtree(folder)


def _known(repository: Path, have: Sequence[str]) -> list[str]:
    if not have:
        return []
    names = "".join(f"{each}\n" for each in have).encode()
    answers = run_git(repository, "cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=names)
    said = (answer.split() for answer in answers.decode().splitlines())
    return [words[1] for words in said if words[0] == "tree"]
