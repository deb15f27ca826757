"""A house with one server, which its calls block: `python -m tests.bus.blocking STATE URL`, until killed."""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path

import anyio
from anyio import to_thread

from bus.background import background
from bus.connect import connect
from servers import deadline
from servers.housekeeping import fork, reap
from servers.specialist import Call, tool
from servers.watchdog import watch
from tests.bus.echo import Echo, EchoParams, EchoResult, served

STALL_S = 2


class Blocked(Echo):
    """Has two ways not to come back."""

    @tool()
    async def wait(self, params: EchoParams, call: Call) -> EchoResult:
        """Block the event loop."""
        time.sleep(600)  # noqa: ASYNC251 - which is what is wrong with it
        return self._did(params, call)

    @tool(deadline_s=1)
    async def count(self, params: EchoParams, call: Call) -> EchoResult:
        """Wait for a thread, which cannot be cancelled."""
        await to_thread.run_sync(time.sleep, 600)
        return self._did(params, call)


async def serve(state: Path, url: str) -> None:
    async with background(partial(watch, STALL_S)), connect(state, url, "echo") as bus, served(bus, Blocked()):
        await anyio.sleep_forever()


def main() -> None:
    state, url = Path(sys.argv[1]), sys.argv[2]
    deadline.GRACE_S = 0.1
    while True:
        status = reap(fork(lambda: anyio.run(serve, state, url)))
        sys.stdout.write(f"{status}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
