"""What is told of a limit that was reached, and what is left then. That limits hold is shown by `bombs`."""

from __future__ import annotations

import anyio
import pytest

from contracts.sandbox import Limits
from servers.throwaway import remove_tree
from tests.sandbox.battery import attempt
from tests.sandbox.bombs import CHANNEL, CPU, MEMORY, OUTPUT, TIME
from tests.sandbox.cells import HOLD, Cell, is_gone

LAST_RESORT = "\nimport signal; signal.alarm(25)\n"
"""Ends a bomb that nobody stopped."""

PAUSE = "\nimport signal; signal.pause()\n"


async def test_memory_of_the_whole_tree_counts(confined: Cell) -> None:
    """Six processes of 30 MB pass a limit that none of them passes alone."""
    _, finished = await attempt(confined, MEMORY)
    assert finished.report.peak_memory_bytes > 100 << 20


async def test_memory_of_one_process_is_refused(confined: Cell) -> None:
    """A single allocation beyond the limit fails in the program, where it can be reported as a test failure."""
    finished = await confined.python("bytearray(300 << 20)", limits=Limits(memory_bytes=200 << 20))
    assert finished.returncode == 1
    assert b"MemoryError" in finished.output


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


async def test_endless_output_keeps_its_beginning(confined: Cell) -> None:
    """Head and tail are kept, the middle is counted."""
    _, finished = await attempt(confined, OUTPUT)
    assert finished.output.startswith(b"first\n")
    assert b"bytes left out" in finished.output
    assert len(finished.output) < 10_100


async def test_a_flooded_channel_gives_what_fitted(confined: Cell) -> None:
    """The channel is capped; what came before is there."""
    _, finished = await attempt(confined, CHANNEL)
    assert 0 < len(finished.channel) <= 1 << 20


async def test_a_busy_program_s_time_is_told(confined: Cell) -> None:
    """CPU seconds, not wall seconds, end a loop."""
    _, finished = await attempt(confined, CPU)
    assert finished.report.cpu_s > 0.1


async def test_a_program_that_took_too_long_is_killed(confined: Cell) -> None:
    """Whatever signals it ignores."""
    _, finished = await attempt(confined, TIME)
    assert finished.returncode == -9


async def test_output_keeps_its_head_and_tail(confined: Cell) -> None:
    """What a person looks for is at either end."""
    code = "print('first'); print('m' * 100_000); print('last')"
    finished = await confined.python(code, limits=Limits(output_bytes=1000))
    assert finished.output.startswith(b"first\n")
    assert finished.output.endswith(b"last\n")
    assert finished.report.ended == "exited"


async def test_folders_nested_without_end_are_removed(confined: Cell) -> None:
    """No path reaches the innermost. What a test left must not keep anybody from tidying up, nor from starting."""
    code = """
import os
for _ in range(3000):
    os.mkdir("d"); open("f", "w").close(); os.symlink("/", "l"); os.chmod("d", 0o700); os.chdir("d")
os.mkdir("closed"); os.chmod("closed", 0)
print("nested")
"""
    finished = await confined.python(code, name="nested")
    assert (finished.returncode, finished.output) == (0, b"nested\n")
    remove_tree(confined.root / "nested")
    assert not (confined.root / "nested").exists()


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
