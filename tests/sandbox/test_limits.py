"""Every limit holds, is named in the report, and leaves nothing behind. Bombs are bounded by themselves, too."""

from __future__ import annotations

import anyio
import pytest

from contracts.sandbox import Limits
from tests.sandbox.world import HOLD, Cell, is_gone

LAST_RESORT = "\nimport signal; signal.alarm(25)\n"
"""Ends a bomb that nobody stopped."""

PAUSE = "\nimport signal; signal.pause()\n"

ALLOCATE = "x = bytearray(30 << 20); x[::4096] = b'x' * len(x[::4096])"


async def test_memory_of_the_whole_tree_counts(confined: Cell) -> None:
    """Six processes of 30 MB pass a limit that none of them passes alone."""
    code = HOLD + LAST_RESORT + f"import signal\nfor _ in range(5):\n    if os.fork() == 0: break\n{ALLOCATE}" + PAUSE
    finished = await confined.python(code, limits=Limits(memory_bytes=100 << 20, wall_s=20), name="memory")
    assert finished.report.ended == "memory"
    assert finished.report.peak_memory_bytes > 100 << 20
    assert is_gone(confined.root / "memory")


async def test_memory_of_one_process_is_refused(confined: Cell) -> None:
    """A single allocation beyond the limit fails in the program, where it can be reported as a test failure."""
    finished = await confined.python("bytearray(300 << 20)", limits=Limits(memory_bytes=200 << 20))
    assert finished.returncode == 1
    assert b"MemoryError" in finished.output


async def test_a_fork_bomb_is_stopped(confined: Cell) -> None:
    """Either the kernel refuses more processes, or the watchdog ends the tree; none is left."""
    bomb = """
import signal, time
born = 0
for _ in range(400):
    try:
        if os.fork() == 0:
            signal.alarm(25); signal.pause()
    except OSError as error:
        tell(f"refused {error.errno} after {born}")
        sys.exit()
    born += 1
    time.sleep(0.001)
"""
    limits = Limits(processes=40, wall_s=20)
    finished = await confined.python(HOLD + LAST_RESORT + bomb + PAUSE, limits=limits, name="forks")
    assert finished.report.ended == "processes" or finished.channel.startswith(b"refused 11"), finished
    assert is_gone(confined.root / "forks")


async def test_threads_count_as_processes(confined: Cell) -> None:
    """A bomb of threads ends the same way."""
    bomb = """
import threading, sys
stop = threading.Event()
for _ in range(400):
    try: threading.Thread(target=stop.wait, args=(25,), daemon=True).start()
    except RuntimeError: tell("refused"); sys.exit()
"""
    limits = Limits(processes=40, wall_s=20)
    finished = await confined.python(HOLD + LAST_RESORT + bomb + PAUSE, limits=limits, name="threads")
    assert finished.report.ended == "processes" or finished.channel == b"refused\n", finished
    assert is_gone(confined.root / "threads")


@pytest.mark.parametrize(
    "write",
    [
        "open(f'f{i}', 'wb').write(bytes(1 << 20))",
        "f = open('f', 'wb'); kept.append(f); os.unlink('f'); f.write(bytes(1 << 20)); f.flush()",
    ],
    ids=["many files", "files without a name"],
)
async def test_a_disk_bomb_is_stopped(confined: Cell, write: str) -> None:
    """What was written to the scratch is counted, also where no name shows it."""
    code = HOLD + LAST_RESORT + f"kept = []\nfor i in range(64):\n    {write}" + PAUSE
    finished = await confined.python(code, limits=Limits(disk_bytes=16 << 20, wall_s=20), name="disk")
    assert finished.report.ended == "disk"
    assert is_gone(confined.root / "disk")


async def test_one_file_cannot_pass_the_disk_limit(confined: Cell) -> None:
    """The program sees the error that a full disk would give."""
    code = "open('big', 'wb').write(bytes(20 << 20))"
    finished = await confined.python(code, limits=Limits(disk_bytes=16 << 20))
    assert b"File too large" in finished.output
    assert (confined.root / "job" / "big").stat().st_size <= 16 << 20


async def test_what_was_there_before_is_not_counted(confined: Cell) -> None:
    """The limit is about what the job writes, not about the project's size."""
    scratch = confined.root / "large"
    scratch.mkdir()
    (scratch / "data").write_bytes(bytes(32 << 20))
    code = "[open(f'f{i}', 'wb').write(bytes(1 << 20)) for i in range(8)]"
    finished = await confined.python(code, limits=Limits(disk_bytes=16 << 20), name="large")
    assert finished.report.ended == "exited", finished


async def test_endless_output_is_stopped(confined: Cell) -> None:
    """Head and tail are kept, the middle is counted, the tree is gone."""
    code = HOLD + LAST_RESORT + "print('first', flush=True)\nwhile True: os.write(1, b'x' * 65536)"
    limits = Limits(output_bytes=10_000, output_kill_bytes=4 << 20, wall_s=20)
    finished = await confined.python(code, limits=limits, name="output")
    assert finished.report.ended == "output"
    assert finished.output.startswith(b"first\n")
    assert b"bytes left out" in finished.output
    assert len(finished.output) < 10_100
    assert is_gone(confined.root / "output")


async def test_output_keeps_its_head_and_tail(confined: Cell) -> None:
    """What a person looks for is at either end."""
    code = "print('first'); print('m' * 100_000); print('last')"
    finished = await confined.python(code, limits=Limits(output_bytes=1000))
    assert finished.output.startswith(b"first\n")
    assert finished.output.endswith(b"last\n")
    assert finished.report.ended == "exited"


async def test_a_flooded_channel_is_stopped(confined: Cell) -> None:
    """The channel is capped; what fitted is there."""
    code = HOLD + LAST_RESORT + "while True: tell('y' * 1000)"
    finished = await confined.python(code, limits=Limits(channel_bytes=1 << 20, wall_s=20), name="channel")
    assert finished.report.ended == "output"
    assert len(finished.channel) <= 1 << 20
    assert is_gone(confined.root / "channel")


async def test_cpu_time_ends_a_busy_program(confined: Cell) -> None:
    """CPU seconds, not wall seconds, end a loop; the report says so."""
    finished = await confined.python(LAST_RESORT + "while True: pass", limits=Limits(cpu_s=1, wall_s=50))
    assert finished.report.ended == "cpu_time"
    assert finished.report.cpu_s > 0.1


async def test_a_timeout_leaves_nothing(confined: Cell) -> None:
    """Ignored signals, sessions of their own, stopped and vanished parents: all of it ends."""
    code = """
import signal
for number in (1, 2, 15): signal.signal(number, signal.SIG_IGN)
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork(): os._exit(0)
        if os.fork() == 0: os.kill(os.getpid(), signal.SIGSTOP)
        break
"""
    limits = Limits(wall_s=1)
    finished = await confined.python(HOLD + LAST_RESORT + code + PAUSE, limits=limits, name="timeout")
    assert finished.report.ended == "wall_time"
    assert finished.returncode == -9
    assert is_gone(confined.root / "timeout")


async def test_a_daemon_does_not_outlive_the_program(confined: Cell) -> None:
    """A process that left its session and lost its parent ends when the program does."""
    code = """
import signal
ready, go = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork(): os._exit(0)
    os.write(go, b"!")
    signal.pause()
os.read(ready, 1)
"""
    finished = await confined.python(HOLD + LAST_RESORT + code, name="daemon")
    assert (finished.returncode, finished.report.ended) == (0, "exited")
    assert is_gone(confined.root / "daemon")


async def test_cancellation_returns_when_everything_is_gone(confined: Cell) -> None:
    """The caller may remove the scratch at once."""
    started = anyio.Event()

    async def hear(line: bytes) -> None:
        started.set()

    async def run() -> None:
        await confined.python(HOLD + LAST_RESORT + "os.fork()\ntell('up')" + PAUSE, on_line=hear, name="cancel")

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        with anyio.fail_after(20):
            await started.wait()
        group.cancel_scope.cancel()
    assert is_gone(confined.root / "cancel")


async def test_an_error_of_the_listener_ends_the_job(confined: Cell) -> None:
    """When nobody can use the results, nothing goes on producing them."""

    async def choke(line: bytes) -> None:
        raise LookupError(line.decode())

    with pytest.raises(LookupError, match="up"):
        await confined.python(HOLD + LAST_RESORT + "tell('up')" + PAUSE, on_line=choke, name="listener")
    assert is_gone(confined.root / "listener")
