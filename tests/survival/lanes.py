"""Several lanes side by side, each a process: who is free takes the next cell."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.cli.conftest import ROOT
from tests.survival.cells import Cell, Found

_OVER = Found(cell=Cell(scene=""))
"""A lane has nothing left to do, or nobody to do it with."""


class Lanes:
    """Processes that run cells."""

    def __init__(self, processes: list[subprocess.Popen[str]]) -> None:
        self._processes = processes

    def run(self, cells: Iterable[Cell]) -> Generator[Found]:
        """What comes of each cell, in the order in which they end; where every lane has broken, not of all."""
        waiting = queue.SimpleQueue[Cell]()
        for cell in cells:
            waiting.put(cell)
        found = queue.SimpleQueue[Found]()
        for process in self._processes:
            threading.Thread(target=_serve, args=(process, waiting, found), daemon=True).start()
        left = len(self._processes)
        while left:
            one = found.get()
            if one is _OVER:
                left -= 1
            else:
                yield one

    def close(self) -> list[str]:
        """End all of them; what they leave behind."""
        left: list[str] = []
        for process in self._processes:
            out, _ = process.communicate()
            said = out.strip().splitlines()
            left += Found.model_validate_json(said[-1]).evidence["left behind"] if said else ["a lane broke"]
        return left


def _serve(process: subprocess.Popen[str], waiting: queue.SimpleQueue[Cell], found: queue.SimpleQueue[Found]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    while True:
        try:
            cell = waiting.get_nowait()
        except queue.Empty:
            break
        with suppress(BrokenPipeError):
            process.stdin.write(f"{cell.model_dump_json()}\n")
            process.stdin.flush()
        if not (line := process.stdout.readline()):
            found.put(Found(cell=cell, problem="the lane itself broke; its last words are above"))
            break
        found.put(Found.model_validate_json(line))
    found.put(_OVER)


@contextmanager
def lanes(folder: Path, number: int) -> Generator[Lanes]:
    """So many lanes below `folder`."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.survival.lane", str(folder / f"lane-{lane}")],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for lane in range(number)
    ]
    try:
        yield Lanes(processes)
    finally:
        for process in processes:
            if process.stdin is not None and not process.stdin.closed:
                with suppress(BrokenPipeError):
                    process.stdin.close()
            process.wait()
