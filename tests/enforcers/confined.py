"""Try things in processes that have confined themselves: a fork for each case, of a process that imports little.

    python -m tests.enforcers.confined < cases.json

takes a list of cases, each with `rules` (of a `Confinement`; null: none are taken on), whether there is `consent` to
weak ones, and `attempts` (kind, at what), and prints which attempts went through, as lists of booleans. Who cannot be
held to the rules tries nothing.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from servers.confine import Confinement, NotConfined, confine

Attempt = tuple[str, str]
"""What is tried, and at what: a path, or a port."""


def attempts(opened: Confinement) -> list[Attempt]:
    """One for everything that `opened` lets a process do."""
    found = [("read", str(path)) for path in opened.read] + [("write", str(path)) for path in opened.write]
    found += [("connect", str(port)) for port in opened.connect_ports]
    found += [("look up names", "")] if opened.resolve else []
    return found + ([("start programs", "")] if opened.exec else [])


def case(rules: Confinement | None, tried: Sequence[Attempt], *, consent_weak: bool = False) -> dict[str, object]:
    """For the way into the process."""
    said: dict[str, object] = {"rules": None, "consent": consent_weak, "attempts": tried}
    if rules is None:
        return said
    paths = {"read": [str(path) for path in rules.read], "write": [str(path) for path in rules.write]}
    more = {"connect_ports": rules.connect_ports, "resolve": rules.resolve, "exec": rules.exec}
    return {**said, "rules": {**paths, **more}}


def run_cases(cases: Sequence[Mapping[str, object]]) -> list[list[bool]]:
    """Have all tried; whether each attempt of each case went through."""
    command = [sys.executable, "-m", "tests.enforcers.confined"]
    here = Path(__file__).parents[2]
    done = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True, cwd=here, check=True)
    return json.loads(done.stdout)


def _rules(said: Mapping[str, Any]) -> Confinement:
    return Confinement(
        read=tuple(map(Path, said["read"])),
        write=tuple(map(Path, said["write"])),
        connect_ports=tuple(said["connect_ports"]),
        resolve=said["resolve"],
        exec=said["exec"],
    )


def _read(path: str) -> None:
    (Path(path) / "file").read_bytes()


def _write(path: str) -> None:
    (Path(path) / f"new-{os.getpid()}").write_text("new")


def _connect(port: str) -> None:
    socket.create_connection(("127.0.0.1", int(port)), 5).close()


def _look_up(_: str) -> None:
    socket.socket(type=socket.SOCK_DGRAM).close()


def _start(_: str) -> None:
    subprocess.run(["/bin/true"], check=True)


_TRIED: Mapping[str, Callable[[str], None]] = {
    "read": _read,
    "write": _write,
    "connect": _connect,
    "look up names": _look_up,
    "start programs": _start,
}


def _goes_through(kind: str, at: str) -> bool:
    try:
        _TRIED[kind](at)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _tried(rules: Mapping[str, Any] | None, consent: bool, tried: Sequence[Attempt]) -> list[bool]:
    try:
        if rules is not None:
            confine(_rules(rules), consent_weak=consent)
    except NotConfined:
        return [False for _ in tried]
    return [_goes_through(kind, at) for kind, at in tried]


def _in_a_fork(one: Mapping[str, Any]) -> list[bool]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writing, json.dumps(_tried(one["rules"], one["consent"], one["attempts"])).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        said = told.read()
    os.waitpid(pid, 0)
    return json.loads(said)


if __name__ == "__main__":
    json.dump([_in_a_fork(one) for one in json.load(sys.stdin)], sys.stdout)
