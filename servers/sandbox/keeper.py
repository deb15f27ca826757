"""The keeper: a small process, kept warm beside a specialist, that forks a warden for every job.

It is apart from the specialist because that one confines itself, and a confined process cannot mount. It
holds nothing worth stealing: no environment, no keys, one socket. It dies with the specialist, and its
wardens, which end their jobs, with it.
"""

from __future__ import annotations

import array
import json
import os
import selectors
import signal
import socket
from types import FrameType

from servers.sandbox import linux, tree
from servers.sandbox.backends.base import Backend
from servers.sandbox.backends.bubblewrap import Bubblewrap
from servers.sandbox.backends.landlock import Landlock
from servers.sandbox.backends.seccomp import Seccomp
from servers.sandbox.backends.unconfined import Unconfined
from servers.sandbox.canary import breaches
from servers.sandbox.order import Policy, Refused, SetUpFailed, check_grant
from servers.sandbox.warden import Warden

MAKERS = {"bubblewrap": Bubblewrap, "landlock": Landlock, "seccomp": Seccomp}
MOST_POLICY = 1 << 17
WAY_OUT = (
    "Install bubblewrap (apt install bubblewrap), or use Linux 6.12 or newer with Landlock; in a container, allow"
    " user namespaces. As root without these, keep Podium and the interpreter where every user may read them"
    " (/opt, say, and `PYTHON=/usr/bin/python3 make demo`), or run Podium as an ordinary user."
)


class Keeper:
    """Serves one specialist over `door`, a SOCK_SEQPACKET socket."""

    def __init__(self, door: socket.socket) -> None:
        self._door = door
        self._wardens: set[int] = set()
        # Only this process holds the writing end: wardens see it close, however the keeper ends.
        self._gone, self._alive = os.pipe()

    def serve(self) -> None:
        """Choose a backend, say which, then start jobs until the specialist has gone."""
        policy = Policy.from_json(self._door.recv(MOST_POLICY))
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        os.set_blocking(wake_read, False)
        signal.set_wakeup_fd(wake_write)
        signal.signal(signal.SIGCHLD, _noticed)
        try:
            backend = self._choose(policy)
        except (SetUpFailed, Refused, OSError) as problem:
            self._door.send(json.dumps({"error": str(problem)}).encode())
            return
        self._door.send(json.dumps({"level": backend.level, "backend": backend.name, "notes": backend.notes}).encode())
        selector = selectors.DefaultSelector()
        selector.register(self._door, selectors.EVENT_READ)
        selector.register(wake_read, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == wake_read:
                    os.read(wake_read, 4096)
                    self._reap()
                elif not self._admit(backend, policy):
                    return

    def close(self) -> None:
        """Tell the wardens to end their jobs, and wait until they have."""
        os.close(self._alive)
        for pid in self._wardens:
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                continue
        tree.end_everything()

    def _choose(self, policy: Policy) -> Backend:
        """The first backend in which the canary achieves nothing beyond what its level admits.

        Raises:
            SetUpFailed: none, with each one's reason and the way out.
        """
        for path in policy.read_only:
            check_grant(path, policy)
        reasons: list[str] = []
        for name in policy.backends:
            try:
                backend: Backend = MAKERS[name]()
                broken = [b for b in breaches(backend, policy, self._start) if b not in backend.tolerated]
            except SetUpFailed as problem:
                reasons.append(f"{name}: {problem}")
                continue
            if not broken:
                return backend
            reasons.append(f"{name}: does not prevent {', '.join(broken)}")
        if policy.unsandboxed:
            return Unconfined()
        raise SetUpFailed(f"No sandbox works here ({'; '.join(reasons)}). {WAY_OUT}")

    def _admit(self, backend: Backend, policy: Policy) -> bool:
        """Take a job's socket from the specialist; False when it has gone."""
        try:
            message, ancillary, _, _ = self._door.recvmsg(64, socket.CMSG_SPACE(array.array("i").itemsize))
        except ConnectionResetError:  # it has not even read who we are
            return False
        if not message:
            return False
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds = array.array("i", data[: len(data) - len(data) % 4])
                with socket.socket(fileno=fds[0]) as client:
                    client.set_inheritable(False)
                    self._start(backend, policy, client)
        return True

    def _start(self, backend: Backend, policy: Policy, client: socket.socket) -> None:
        """Fork a warden that serves `client`."""
        pid = os.fork()
        if pid:
            self._wardens.add(pid)
            return
        try:
            signal.set_wakeup_fd(-1)
            os.close(self._alive)
            self._door.close()
            linux.adopt_orphans()
            Warden(client, self._gone, backend, policy).serve()
        finally:
            os._exit(0)

    def _reap(self) -> None:
        ended, _ = tree.reap()
        self._wardens -= set(ended)
        if any(ended.values()):
            # A warden that ended well left nothing behind; what a killed one did falls to the keeper.
            tree.end_everything(spare=frozenset(self._wardens))


def main(door: int, parent: int) -> None:
    """The keeper process; `door` is its socket's number, `parent` the specialist's pid."""
    linux.die_with_parent(parent)
    linux.hide_from_same_user()
    linux.adopt_orphans()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    os.environ.clear()
    with socket.socket(fileno=door) as sock:
        sock.set_inheritable(False)
        keeper = Keeper(sock)
        try:
            keeper.serve()
        finally:
            keeper.close()


def _noticed(number: int, where: FrameType | None) -> None:
    """The wake-up descriptor has it already."""
