"""The house: the process in which broker and crew live. Found, started and stopped from here.

It listens on `STATE/house.sock`, one JSON line each way:

- `{"op": "hold"}` keeps it alive while the connection is open;
- `{"op": "keep"}` makes it stay; `{"op": "down"}` ends it, and the connection closes when all is gone;
- `{"op": "status"}` asks only.

It answers with `House` or with `{"failure": …}`. Without `keep` it ends soon after the last holder's
connection has closed, so that whatever kills a command ends what the command started.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Literal

import anyio
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream
from pydantic import ConfigDict, Field, ValidationError

from contracts.base import Model, UtcTime
from contracts.failure import Failure
from contracts.keys import KeyMarks
from orchestrator.keys import anonymous_file, take_keys

Op = Literal["hold", "keep", "status", "down"]
Durability = Literal["process", "disk"]
"""What an acknowledged write survives: the death of any process, or a power cut too."""

START_S = 60.0
"""How long a house may take until it listens."""
READY_S = 120.0
"""How long it may then take until broker and crew are ready."""
OTHER_S = 3.0
"""How long a house that does not suit is given to end by itself."""
LOG_BYTES = 1 << 20
"""The log is put aside (`house.log.1`) beyond this size."""
BUSY = 75
"""Exit status (sysexits' EX_TEMPFAIL) of a house that found another one starting in the same state directory."""


class House(Model):
    """A running house."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    url: str
    pid: int
    keep: bool
    started_at: UtcTime
    durability: str
    version: str
    unsandboxed: bool = False
    keys: KeyMarks | None = Field(default=None, exclude=True, description="Of what its model server was given.")


class HouseFailed(Exception):
    """The house cannot be had; `failure` says why and what to do."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


class _Leaving(Exception):
    """It hung up before it answered: it was about to end."""


class _Answer(Model):
    failure: Failure


def state_dir() -> Path:
    """Where ledger, keys and runs are kept: `PODIUM_STATE_DIR`, else the user's state directory for Podium."""
    named = os.environ.get("PODIUM_STATE_DIR")
    if named:
        return Path(named).expanduser().absolute()
    from platformdirs import user_state_path

    return user_state_path("podium")


@asynccontextmanager
async def house(
    state: Path, *, unsandboxed: bool = False, durability: Durability | None = None, asks_models: bool = False
) -> AsyncGenerator[House]:
    """Hold the house at `state`, starting it where none runs.

    `asks_models` is for who relies on the keys and addresses of its own environment. Whoever has none there takes the
    house as it is: a second terminal need not know them.

    Raises:
        HouseFailed: it does not start, or one runs whose confinement is not the one asked for, or whose keys are not
            those of `asks_models`; or, in a group, it ended while it was held.
        ConfigError: models are to be asked, and where they are is said wrongly.
    """
    taken = take_keys()
    if asks_models and taken.problem is not None:
        raise taken.problem
    patience = anyio.current_time() + OTHER_S
    while True:
        stream, found = await _hold(state, unsandboxed, durability, taken.handed)
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


async def keep(state: Path, durability: Durability | None = None) -> House:
    """Have the house at `state` stay until `down`, starting it where none runs.

    Raises:
        HouseFailed: it does not start, or it was started without a sandbox, or with other keys.
        ConfigError: where models are is said wrongly.
    """
    async with house(state, durability=durability, asks_models=True), await _connect(state) as stream:
        return await _ask(stream, "keep", state)


async def status(state: Path) -> House | None:
    """The house that runs at `state`, if one does; none is started."""
    try:
        async with await _connect(state) as stream:
            return await _ask(stream, "status", state)
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


def log_tail(state: Path, lines: int = 15) -> str:
    """The last lines of the house's log."""
    try:
        with (state / "house.log").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 16_384))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


async def _hold(
    state: Path, unsandboxed: bool, durability: Durability | None, keys: Mapping[str, str]
) -> tuple[SocketStream, House]:
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
            process = _start(state, unsandboxed, durability, keys)
        elif status is not None:
            raise HouseFailed(_did_not_start(state, f"it ended with status {status}"))
        elif anyio.current_time() > deadline:
            process.kill()
            process.wait()
            raise HouseFailed(_did_not_start(state, f"it was not there after {START_S:.0f} s"))
        await anyio.sleep(0.02)


def _start(
    state: Path, unsandboxed: bool, durability: Durability | None, keys: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _spawn(state, unsandboxed, durability, keys)
    except OSError as error:
        raise HouseFailed(
            Failure(
                kind="unavailable",
                message=f"The state directory {state} cannot be used: {error.strerror}.",
                way_out="Make it writable, or set PODIUM_STATE_DIR to a directory that is.",
            )
        ) from error


def _spawn(
    state: Path, unsandboxed: bool, durability: Durability | None, keys: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    log = state / "house.log"
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(state / "house.log.1")
    command = [sys.executable, "-m", "servers.house", "--state", str(state)]
    command += ["--unsandboxed"] if unsandboxed else []
    command += ["--durability", durability] if durability else []
    handed = anonymous_file(keys)
    command += ["--keys-fd", str(handed)]
    # `-m` looks in the working directory first: that must be ours, never the repository a person stands in.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=fd,
            stderr=fd,
            cwd=Path(__file__).resolve().parent.parent,
            env=env,
            pass_fds=(handed,),
            start_new_session=True,
        )
    finally:
        os.close(fd)
        os.close(handed)


async def _end_of(state: Path, until: float) -> None:
    """Wait for the end of the house at `state`, at most `until`. A connection that asks nothing does not hold it."""
    with suppress(OSError, anyio.EndOfStream, anyio.BrokenResourceError), anyio.CancelScope(deadline=until):
        async with await _connect(state) as stream:
            await stream.receive()


async def _end_with(stream: SocketStream, state: Path) -> None:
    """Whoever holds a house that ends would wait for answers in vain."""
    with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
        await stream.receive()
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
    await stream.send(f'{{"op": "{op}"}}\n'.encode())
    try:
        with anyio.fail_after(READY_S):
            answer = await BufferedByteReceiveStream(stream).receive_until(b"\n", 1 << 20)
    except TimeoutError:
        raise HouseFailed(_did_not_start(state, f"it was not ready after {READY_S:.0f} s")) from None
    except (anyio.IncompleteRead, anyio.BrokenResourceError, anyio.EndOfStream):
        raise _Leaving from None
    try:
        return House.model_validate_json(answer)
    except ValidationError:
        raise HouseFailed(_Answer.model_validate_json(answer).failure) from None


def _did_not_start(state: Path, why: str) -> Failure:
    tail = log_tail(state)
    said = f" Its last words:\n{tail}" if tail else ""
    return Failure(
        kind="unavailable",
        message=f"Broker and crew did not start: {why}.{said}",
        retry=True,
        way_out=f"`podium doctor` checks this machine; the whole log is {state / 'house.log'}.",
    )


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
