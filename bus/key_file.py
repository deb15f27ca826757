"""One identity's private key in a file of its own: to be carried to the machine where a process has that identity."""

from __future__ import annotations

import os
import re
from pathlib import Path

from bus.identity import Identity

_OWNER = re.compile(r"^# The private key of (\S+) ", re.MULTILINE)
_SEED = re.compile(r"^SU[A-Z2-7]{56}$", re.MULTILINE)


class KeyFileUnusable(Exception):
    """It cannot be read as the key of the identity that is meant; says why."""


def write_key_file(file: Path, identity: Identity) -> None:
    """Write it anew, readable by its owner only, in the form of NATS' own tools.

    Raises:
        OSError: it is there already, or cannot be written.
    """
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as out:
        out.write(
            f"# The private key of {identity.name} in a crew of Podium's: who has it is {identity.name}.\n"
            f"-----BEGIN USER NKEY SEED-----\n{identity.seed}\n------END USER NKEY SEED------\n"
        )


def read_key_file(file: Path, name: str) -> Identity:
    """The identity `name`.

    Raises:
        KeyFileUnusable: there is no such file, it is another's key or none, or others may read it.
    """
    try:
        mode, text = file.stat().st_mode, file.read_text(encoding="utf-8", errors="replace")
    except OSError as wrong:
        raise KeyFileUnusable(f"{file}: {wrong.strerror}") from wrong
    if mode & 0o077:
        raise KeyFileUnusable(f"{file} can be read by others than its owner (chmod 600)")
    owner, seed = _OWNER.search(text), _SEED.search(text)
    if owner is None or seed is None:
        raise KeyFileUnusable(f"{file} is no key as `podium agents key` writes it")
    if owner[1] != name:
        raise KeyFileUnusable(f"{file} is the key of {owner[1]}, not of {name}")
    return Identity(name, seed[0])
