"""A NATS server of somebody's own, which they end, begin anew and exchange while Podium is attached to it."""

from __future__ import annotations

import signal
import socket
import subprocess
from pathlib import Path

from tests.cli.conftest import Podium

URL_ENV = "PODIUM_NATS_URL"


class Attached(Podium):
    """Podium on a broker that it does not run."""

    url = ""

    def environment(self) -> dict[str, str]:
        """See `Podium.environment`."""
        return {**super().environment(), URL_ENV: self.url} if self.url else super().environment()


class Broker:
    """One store and one address, and whichever server has them now."""

    def __init__(self, folder: Path, users: str) -> None:
        self.store = folder / "store"
        self.store.mkdir(parents=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.url = f"nats://127.0.0.1:{free.getsockname()[1]}"
        (folder / "podium.json").write_text(users)
        self._conf, self._log = folder / "nats.conf", folder / "log"
        self._conf.write_text(
            f"listen: {self.url.removeprefix('nats://')}\njetstream: {{store_dir: {self.store}}}\n"
            "include ./podium.json\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def exchange(self, *command: str) -> None:
        """Have the server end, in order, and this one begin; without a command, none.

        Raises:
            RuntimeError: it does not come up with this store.
        """
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait()
        self._process = None
        if command:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen([*command, "-c", str(self._conf)], stderr=subprocess.PIPE, stdout=log)
            assert self._process.stderr is not None
            said = list[bytes]()
            for line in self._process.stderr:
                said.append(line)
                if b"Server is ready" in line:
                    return
            raise RuntimeError(b"".join(said[-3:]).decode())
