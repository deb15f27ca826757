"""The last steps before a foreign program is executed: its process, which the member's confinement holds already.

It loses what only the member needs: the way to the broker, and sockets where it was granted no port. It dies with
the member. Run as `python -I -S -c BOOT PODIUM MEMBER PORTS NAMES PROGRAM ARGUMENT…`, so nothing but this file's few
imports is paid for.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

from servers.sandbox import landlock, linux
from servers.sandbox.syscalls import specialist_filter, supported

BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from servers.bridge.launch import main; main(sys.argv[2:])"

_LIMITS = {resource.RLIMIT_NOFILE: 4096, resource.RLIMIT_DATA: 4 << 30, resource.RLIMIT_MEMLOCK: 8 << 20}
"""RLIMIT_AS is left alone: node reserves terabytes."""


def launching(program: Path, arguments: Sequence[str], ports: Sequence[int], environment: Sequence[str]) -> list[str]:
    """The command that becomes `program`, with TCP to `ports` only, and of its variables those named."""
    podium = str(Path(__file__).parents[2])
    ours = [podium, str(os.getpid()), ",".join(map(str, ports)), ",".join(environment)]
    return [sys.executable, "-I", "-S", "-c", BOOT, *ours, str(program), *arguments]


def main(arguments: Sequence[str]) -> None:
    """Become the program."""
    member, ports, names, program, *more = arguments
    linux.die_with_parent(int(member))
    for which, most in _LIMITS.items():
        hard = resource.getrlimit(which)[1]
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (least, least))
    _confine([int(port) for port in ports.split(",") if port])
    kept = set(names.split(","))
    environment = {name: value for name, value in os.environ.items() if name in kept}
    try:
        os.execve(program, [program, *more], environment)
    except OSError as wrong:
        sys.exit(f"{program}: {wrong.strerror}")


def _confine(ports: Sequence[int]) -> None:
    version = landlock.abi()
    if version >= 4:
        allowed = landlock.Ruleset(version, restrict_files=False)
        for port in ports:
            allowed.allow_connect(port)
        allowed.enforce()
    if supported():
        linux.install_filter(specialist_filter(tcp=bool(ports), udp=bool(ports), exec=True))
