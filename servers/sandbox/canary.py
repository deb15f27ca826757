"""The canary: a job that tries what no job may do. Settings can lie; this cannot."""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

from servers.sandbox.backends.base import Backend
from servers.sandbox.order import CHANNEL, ERROR, Ceilings, Frames, Order, Policy, SetUpFailed, frame, real
from servers.sandbox.order import ORDER as ORDER_KIND
from servers.sandbox.order import STDIN as STDIN_KIND
from servers.sandbox.system import interpreter

LIMITS = Ceilings(
    wall_s=20,
    cpu_s=20,
    memory_bytes=1 << 30,
    processes=64,
    output_bytes=1 << 16,
    output_kill_bytes=1 << 20,
    channel_bytes=1 << 16,
    disk_bytes=1 << 24,
)

ATTEMPTS = """
import ctypes, json, os, socket, sys
secret, outside, port, pid = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
def read(): open(secret).read()
def write(): open(outside, "w").close()
def connect(): socket.create_connection(("127.0.0.1", port), timeout=5).close()
def signal(): os.kill(pid, 0)
def namespace():
    if ctypes.CDLL(None, use_errno=True).unshare(0x10000000): raise OSError("denied")
done = []
for attempt in (read, write, connect, signal, namespace):
    try: attempt()
    except Exception: continue
    done.append(attempt.__name__)
os.write(int(os.environ["PODIUM_CHANNEL"]), json.dumps(done).encode())
"""


def breaches(backend: Backend, policy: Policy, start: Callable[[Backend, Policy, socket.socket], None]) -> list[str]:
    """What the canary could do below `backend` though it must not: read, write, connect, signal, namespace.

    `start` forks a warden that serves the given socket.

    Raises:
        SetUpFailed: it could not be run at all.
    """
    policy.scratch_root.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="canary-", dir=real(policy.scratch_root)))
    try:
        scratch = place / "scratch"
        scratch.mkdir()
        # The scratch is found through its parents, which an unprivileged uid must be able to pass; not list.
        place.chmod(0o711)
        secret, outside = place / "secret", place / "outside"
        secret.touch(mode=0o600)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            argv = (str(policy.python), "-I", "-S", "-c", ATTEMPTS)
            argv += (str(secret), str(outside), str(port), str(os.getpid()))
            order = Order(argv, scratch, ".", _readable(policy), {}, LIMITS)
            done = _done(_ask(order, backend, policy, start))
        # Below a private /tmp the same path may be writable, and mean nothing outside.
        return [*(name for name in done if name != "write"), *(["write"] if outside.exists() else [])]
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _readable(policy: Policy) -> tuple[Path, ...]:
    """What the canary's interpreter is made of, whatever other jobs may read."""
    return tuple(dict.fromkeys((*interpreter(), *policy.read_only)))


def _ask(
    order: Order, backend: Backend, policy: Policy, start: Callable[[Backend, Policy, socket.socket], None]
) -> list[tuple[bytes, bytes]]:
    ours, theirs = socket.socketpair()
    with ours:
        # The keeper has no environment to find a home by, nor needs its user be anybody's the system knows.
        allowed = Policy(scratch_root=policy.scratch_root, read_only=_readable(policy), home=policy.home)
        start(backend, allowed, theirs)
        theirs.close()
        ours.sendall(frame(ORDER_KIND, order.to_json()) + frame(STDIN_KIND, b""))
        frames, got = Frames(), list[tuple[bytes, bytes]]()
        while data := ours.recv(1 << 16):
            got += frames.feed(data)
        return got


def _done(answer: list[tuple[bytes, bytes]]) -> list[str]:
    for kind, payload in answer:
        if kind == ERROR:
            raise SetUpFailed(json.loads(payload)["message"])
    told = b"".join(payload for kind, payload in answer if kind == CHANNEL)
    if not told:
        said = b" ".join(payload for kind, payload in answer if kind != CHANNEL).decode(errors="replace")
        raise SetUpFailed(f"the canary did not run inside: {said[:500]}")
    return [str(name) for name in json.loads(told)]
