"""Which files a program consists of, so that a process may run it that is granted nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

_LINKS = 40
_INTERPRETERS = 3
_SHEBANG_BYTES = 512


def found(command: str) -> Path | None:
    """The program that a command's first word names, as a shell would find it."""
    path = shutil.which(command)
    return Path(os.path.abspath(path)) if path else None


def installation(program: Path) -> tuple[Path, ...]:
    """What has to be readable to run `program`: its own installation and its interpreters', never a home.

    The folder above `bin`, or the `node_modules` it lies in; of every link on the way to it, as a virtual
    environment's `python` is a chain of them.
    """
    return tuple(dict.fromkeys(_parts(program, _INTERPRETERS)))


def _parts(program: Path, deeper: int) -> Iterator[Path]:
    for hop in _hops(program):
        yield _part(hop)
    interpreter = _interpreter(program)
    if interpreter is not None and deeper:
        yield from _parts(interpreter, deeper - 1)


def _hops(path: Path) -> list[Path]:
    hops = [Path(os.path.abspath(path))]
    while hops[-1].is_symlink() and len(hops) < _LINKS:
        hops.append(Path(os.path.normpath(hops[-1].parent / os.readlink(hops[-1]))))
    return hops


def _part(file: Path) -> Path:
    modules = [folder for folder in file.parents if folder.name == "node_modules"]
    if modules:
        return modules[-1]
    above = file.parent.parent
    home = Path.home()
    shared = {home / ".local", home, *home.parents}
    return above if file.parent.name == "bin" and above not in shared else file


def _interpreter(program: Path) -> Path | None:
    """The interpreter that a script's first line names."""
    try:
        with program.open("rb") as file:
            first = file.read(_SHEBANG_BYTES).split(b"\n", 1)[0]
    except OSError:
        return None
    words = first.removeprefix(b"#!").decode(errors="replace").split()
    if not first.startswith(b"#!") or not words:
        return None
    if Path(words[0]).name != "env":
        return Path(words[0])
    named = next((word for word in words[1:] if not word.startswith("-") and "=" not in word), "")
    return found(named)
