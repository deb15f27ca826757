"""The house: the process in which broker and crew live. Found, started and stopped from here.

It listens on `STATE/house.sock`, one JSON line each way:

- `{"op": "hold"}` keeps it alive while the connection is open;
- `{"op": "join", "who": Joining}` has a server or an MCP host join the crew while the connection is open;
- `{"op": "keep"}` makes it stay; `{"op": "down"}` ends it, and the connection closes when all is gone;
- `{"op": "reload"}` has it read the crew files again; `{"op": "status"}` asks only.

It answers with `House` or with `{"failure": …}`; a failure is also the last that holders hear where it has to end.
Without `keep` it ends soon after the last holder's connection has closed, so that whatever kills a command ends what
the command started.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Literal

import anyio
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream
from pydantic import ConfigDict, Field, ValidationError

from contracts.base import Model, UtcTime
from contracts.config import Joining
from contracts.failure import Failure
from contracts.keys import KeyMarks
from orchestrator.environment import environment
from orchestrator.house_start import Durability, HouseFailed, Manner, did_not_start, start_house
from orchestrator.keys import take_keys

Op = Literal["hold", "keep", "reload", "status", "down"]
START_S = 60.0
"""How long a house may take until it listens."""
READY_S = 120.0
"""How long it may then take until broker and crew are ready."""
OTHER_S = 3.0
"""How long a house that does not suit is given to end by itself."""
BUSY = 75
"""Exit status (sysexits' EX_TEMPFAIL) of a house that found another one starting in the same state directory."""


class BrokerNode(Model):
    """One of several brokers that keep the ledger together, as the house that started them sees it."""

    name: str
    url: str
    pid: int
    running: bool
    restarts: int = Field(description="How often it died and was started again.")


class House(Model):
    """A running house."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    url: str
    pid: int
    keep: bool
    started_at: UtcTime
    durability: str
    nodes: tuple[BrokerNode, ...] = Field(
        default=(), exclude=True, description="Of a cluster that it started; else none."
    )
    version: str
    unsandboxed: bool = False
    keys: KeyMarks | None = Field(default=None, exclude=True, description="Of what its model server was given.")
    holds: Mapping[str, tuple[str, ...]] = Field(default={}, exclude=True, description="Scopes and tools, by member.")


class _Leaving(Exception):
    """It hung up before it answered: it was about to end."""


class _Answer(Model):
    failure: Failure


def state_dir(of: str = "") -> Path:
    """Where ledger, keys and runs are kept: `PODIUM_STATE_DIR`, else the user's state directory for Podium.

    The environment `of`, or that of this process, has a directory of its own below that.

    Raises:
        ConfigError: this process's environment has no valid name.
    """
    named, within = os.environ.get("PODIUM_STATE_DIR"), of or environment()
    if named:
        base = Path(named).expanduser().absolute()
    else:
        from platformdirs import user_state_path

        base = user_state_path("podium")
    return base / "environments" / within if within else base


@asynccontextmanager
async def house(
    state: Path,
    *,
    unsandboxed: bool = False,
    durability: Durability | None = None,
    cluster: int = 0,
    asks_models: bool = False,
    consent_weak: bool = False,
) -> AsyncGenerator[House]:
    """Hold the house at `state`, starting it where none runs; with `consent_weak`, though the kernel cannot hold it.

    `asks_models` is for who relies on the keys and addresses of its own environment. Whoever has none there takes the
    house as it is: a second terminal need not know them.

    Raises:
        HouseFailed: it does not start, or one runs whose confinement is not the one asked for, or whose keys are not
            those of `asks_models`; or, in a group, it ended while it was held.
        ConfigError: models are to be asked, and where they are is said wrongly.
    """
    taken = take_keys()
    manner = Manner(unsandboxed, durability, cluster, taken.handed, consent_weak)
    if asks_models and taken.problem is not None:
        raise taken.problem
    patience = anyio.current_time() + OTHER_S
    while True:
        stream, found = await _hold(state, manner)
        async with stream:
            unsuited = _unsuited(found, unsandboxed, taken.unlike(found.keys) if asks_models else "")
            if unsuited is None:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_end_with, stream, state)
                    yield found
                    tasks.cancel_scope.cancel()
                return
        if found.keep or anyio.current_time() > patience:
            raise HouseFailed(unsuited)
        await _end_of(state, patience)


async def keep(state: Path, durability: Durability | None = None, cluster: int = 0) -> House:
    """Have the house at `state` stay until `down`, starting it where none runs, with `cluster` brokers if not 0.

    Raises:
        HouseFailed: it does not start, or it was started without a sandbox, or with other keys.
        ConfigError: where models are is said wrongly.
    """
    async with house(state, durability=durability, cluster=cluster, asks_models=True), await _connect(state) as stream:
        return await _ask(stream, "keep", state)


async def status(state: Path) -> House | None:
    """The house that runs at `state`, if one does; none is started."""
    try:
        async with await _connect(state) as stream:
            return await _ask(stream, "status", state)
    except (OSError, _Leaving):
        return None


@asynccontextmanager
async def joined(state: Path, who: Joining) -> AsyncGenerator[None]:
    """Be, or have, a member of the crew of the house that is held at `state`.

    Raises:
        HouseFailed: it does not take `who` in, and why.
    """
    async with await _connect(state) as stream:
        await _tell(stream, {"op": "join", "who": who.model_dump(mode="json")}, state)
        yield


async def reload(state: Path) -> House | None:
    """Have the house at `state`, if one runs, take up what the crew files say now; it, once who that starts serves.

    Raises:
        HouseFailed: they are wrong (`invalid`), and it stays as it was; or somebody cannot serve as they are now.
    """
    try:
        async with await _connect(state) as stream:
            return await _ask(stream, "reload", state)
    except (OSError, _Leaving):
        return None


async def down(state: Path) -> bool:
    """Stop the house at `state` and wait until all of it is gone; False when none ran."""
    try:
        stream = await _connect(state)
    except OSError:
        return False
    async with stream:
        await stream.send(b'{"op": "down"}\n')
        try:
            while True:
                await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return True


async def _hold(state: Path, manner: Manner) -> tuple[SocketStream, House]:
    process: subprocess.Popen[bytes] | None = None
    deadline = anyio.current_time() + START_S
    while True:
        with suppress(OSError, _Leaving):
            stream = await _connect(state)
            try:
                return stream, await _ask(stream, "hold", state)
            except BaseException:
                await anyio.aclose_forcefully(stream)
                raise
        status = None if process is None else process.poll()
        if process is None or status == BUSY:
            # Nobody is here, or somebody is who just leaves (or comes): whoever gets the lock is the house.
            process = start_house(state, manner)
        elif status is not None:
            raise HouseFailed(did_not_start(state, f"it ended with status {status}"))
        elif anyio.current_time() > deadline:
            process.kill()
            process.wait()
            raise HouseFailed(did_not_start(state, f"it was not there after {START_S:.0f} s"))
        await anyio.sleep(0.02)


async def _end_of(state: Path, until: float) -> None:
    """Wait for the end of the house at `state`, at most `until`. A connection that asks nothing does not hold it."""
    with suppress(OSError, anyio.EndOfStream, anyio.BrokenResourceError), anyio.CancelScope(deadline=until):
        async with await _connect(state) as stream:
            await stream.receive()


async def _end_with(stream: SocketStream, state: Path) -> None:
    """Whoever holds a house that ends would wait for answers in vain. Its last words say why, if it has any."""
    with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
        raise HouseFailed(_Answer.model_validate_json(await stream.receive()).failure)
    raise HouseFailed(
        Failure(
            kind="unavailable",
            message="Broker and crew ended while this command needed them.",
            retry=True,
            way_out=f"Unless somebody said `podium down`, {state / 'house.log'} has the reason.",
        )
    )


async def _connect(state: Path) -> SocketStream:
    """Connect to the house's socket, however long its path is (the kernel takes 107 bytes)."""
    path = state / "house.sock"
    if len(os.fsencode(path)) <= 100:
        return await anyio.connect_unix(path)
    folder = os.open(state, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return await anyio.connect_unix(f"/proc/self/fd/{folder}/house.sock")
    finally:
        os.close(folder)


async def _ask(stream: SocketStream, op: Op, state: Path) -> House:
    return await _tell(stream, {"op": op}, state)


async def _tell(stream: SocketStream, asked: Mapping[str, object], state: Path) -> House:
    await stream.send(json.dumps(asked).encode() + b"\n")
    try:
        with anyio.fail_after(READY_S):
            answer = await BufferedByteReceiveStream(stream).receive_until(b"\n", 1 << 20)
    except TimeoutError:
        raise HouseFailed(did_not_start(state, f"it was not ready after {READY_S:.0f} s")) from None
    except (anyio.IncompleteRead, anyio.BrokenResourceError, anyio.EndOfStream):
        raise _Leaving from None
    try:
        return House.model_validate_json(answer)
    except ValidationError:
        raise HouseFailed(_Answer.model_validate_json(answer).failure) from None


def _unsuited(found: House, unsandboxed: bool, other_keys: str) -> Failure | None:
    """Why a command cannot use this house, where it cannot."""
    if found.unsandboxed != unsandboxed:
        how = "without a sandbox" if found.unsandboxed else "with its sandbox"
        why = "this command asks for the other way"
    elif other_keys:
        how, why = other_keys, "it would not ask models as this command says"
    else:
        return None
    return Failure(
        kind="conflict",
        message=f"A house is running here {how} (process {found.pid}), and {why}.",
        way_out=f"Stop it with `podium down`{'' if found.keep else ', or wait for the command that uses it'}.",
    )
