"""Confine a specialist's own process: files, network, new programs. Called once, after fork, before any thread.

What the process runs for others goes through `servers.sandbox`; this is about what the specialist itself could
be talked into. A process that the kernel cannot hold does not go on, unless a person has consented to that.
"""

from __future__ import annotations

import os
import resource
import socket
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.consent import CONSENT_ENV
from servers.sandbox import landlock, linux
from servers.sandbox.syscalls import specialist_filter, supported
from servers.sandbox.system import CONFIGURATION, DEVICES, FACTS, PROGRAMS, interpreter

CODE = Path(__file__).parents[1]
"""Podium's own packages, which are imported lazily in places."""


class NotConfined(Exception):
    """This process is not held as it has to be; it must not go on."""


@dataclass(frozen=True)
class Held:
    """How a process is held."""

    words: str
    """For `contracts.manifest.Card.confinement`."""
    weak: bool = False
    """Whether the kernel lacks what would hold all of it."""


@dataclass(frozen=True)
class Confinement:
    """What a specialist keeps.

    `read`: paths it reads beside the system's and the interpreter's. `write`: paths it reads and writes.
    `connect_ports`: the TCP ports it connects to, on any address; none means no network at all.
    `resolve`: whether it may ask for the addresses of names (UDP, to anybody). `exec`: whether it starts programs
    of the system. `scopes`: where all that comes from, for who is told that the kernel cannot hold it.
    """

    read: tuple[Path, ...] = ()
    write: tuple[Path, ...] = ()
    connect_ports: tuple[int, ...] = ()
    resolve: bool = False
    exec: bool = False
    scopes: tuple[str, ...] = ()


def confine(rules: Confinement, *, consent_weak: bool = False) -> Held:
    """Give up everything else, for good. With `consent_weak`, also where the kernel cannot take all of it.

    Capabilities, new privileges and core dumps are given up; the process dies with the parent that forked it,
    and other processes of the same user cannot look into it.

    Raises:
        NotConfined: the kernel lacks what would hold it, and nothing was given up; or it can do what it gave up.
    """
    version, filters = landlock.abi(), supported()
    if (lacking := _lacking(files=bool(version), calls=filters)) and not consent_weak:
        raise NotConfined(_refusal(rules.scopes, lacking))
    linux.die_with_parent(os.getppid())
    linux.hide_from_same_user()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    linux.drop_capabilities()
    linux.no_new_privileges()
    held: list[str] = []
    if version:
        _ruleset(rules, version).enforce()
        held.append(f"landlock abi {version}")
    if filters:
        network = {"tcp": bool(rules.connect_ports), "udp": rules.resolve}
        linux.install_filter(specialist_filter(**network, exec=rules.exec))
        held.append("seccomp")
    if through := _through(rules, files=bool(version), calls=filters):
        raise NotConfined(f"The kernel took the rules of this process and does not keep them: it can {through}.")
    if lacking:
        held.append(f"not held: {' and '.join(lacking)}, by consent")
    return Held(" + ".join(held), weak=bool(lacking))


def _lacking(*, files: bool, calls: bool) -> dict[str, str]:
    """What cannot be held here, and what would hold it."""
    wanted = {"files": (files, "Landlock"), "network and programs": (calls, "a seccomp that Podium knows")}
    return {what: by for what, (there, by) in wanted.items() if not there}


def _refusal(scopes: Sequence[str], lacking: Mapping[str, str]) -> str:
    return (
        f"It is granted {', '.join(scopes) or 'no files at all'}, and this kernel cannot hold it to that: for"
        f" {' and '.join(lacking)} it lacks {' and '.join(lacking.values())} (`podium doctor`)."
        f" With {CONSENT_ENV}=1 it starts all the same, and can read and change what you can."
    )


def _through(rules: Confinement, *, files: bool, calls: bool) -> str:
    """What this process can still do of what it gave up; "" for nothing. Settings can lie; trying cannot.

    `files`: whether files are held; `calls`: whether system calls are.
    """
    tried = (
        ("list /", files and Path("/") not in _resolved((*rules.read, *rules.write)), lambda: os.listdir("/")),
        ("open a unix socket", calls, lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).close()),
        ("open a TCP socket", calls and not rules.connect_ports, lambda: socket.socket().close()),
        ("start programs", calls and not rules.exec, _start_nothing),
    )
    return ", ".join(what for what, held, attempt in tried if held and _succeeds(attempt))


def _succeeds(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


def _start_nothing() -> None:
    """As far as a program that does not exist goes: a filter refuses before it is looked for."""
    try:
        os.execv("/nonexistent/program", ["program"])
    except FileNotFoundError:
        return


def _ruleset(rules: Confinement, version: int) -> landlock.Ruleset:
    rights = landlock.RUN if rules.exec else landlock.READ
    allowed = landlock.Ruleset(version)
    allowed.allow(PROGRAMS, rights)
    allowed.allow(_resolved(CONFIGURATION), landlock.READ)
    allowed.allow(FACTS, landlock.READ)
    allowed.allow(DEVICES, landlock.READ_FILE | landlock.WRITE_FILE)
    allowed.allow(_resolved((*interpreter(), *_import_path(), CODE)), rights)
    allowed.allow([Path(f"/proc/{os.getpid()}")], landlock.READ | landlock.WRITE_FILE)
    allowed.allow(_resolved(rules.read), rights)
    allowed.allow(_resolved(rules.write), landlock.all_rights(version))
    if rules.resolve:
        allowed.allow(_resolved([Path("/etc/resolv.conf")]), landlock.READ)
    for port in rules.connect_ports:
        allowed.allow_connect(port)
    return allowed


def _import_path() -> list[Path]:
    """Where modules come from; not the working directory, which may be a person's home."""
    return [Path(entry) for entry in sys.path if entry and Path(entry) != Path.cwd()]


def _resolved(paths: Iterable[Path]) -> list[Path]:
    return [Path(os.path.realpath(path)) for path in paths]
