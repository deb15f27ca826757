"""Run the official conformance suite: against a server, wherever and whosever it is, or against a client program."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.conformance.results import PASSED, TOLD, Results, read_results
from tests.npm import installed

REVISIONS = ("2026-07-28", "2025-11-25")
"""The two eras of the protocol, each at its last revision. What the suite has beyond them are extensions."""

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
_PROGRAM = "@modelcontextprotocol/conformance/dist/index.js"
_START_S = 60
_END_S = 15
_RUN_S = 120
_CLIENT_S = 60
_URL = re.compile(r"https?://\S+")
_LISTED = re.compile(r"^  - (\S+)", re.MULTILINE)
_TOTAL = re.compile(r"^Total: (\d+) passed, (\d+) failed$", re.MULTILINE)


class SuiteError(Exception):
    """There are no results; the message holds what was printed instead."""


def run_suite(url: str, revision: str) -> Results:
    """All server scenarios that apply at a revision, at that revision's wire.

    Raises:
        NpmError: the suite is not to be had here.
        SuiteError: it did not finish, or counted otherwise than the files it left.
    """
    with tempfile.TemporaryDirectory() as folder:
        done = _suite(folder, "server", "--url", url, "--suite", "all", "--spec-version", revision)
        results, total = read_results(revision, Path(folder)), _TOTAL.search(done.stdout)
    if total is None or (int(total[1]), int(total[2])) != (results.passed, results.failed):
        raise SuiteError(
            f"{results.passed} passed, {results.failed} failed is not its own count: {done.stdout[-4000:]}"
        )
    return results


def run_client(command: Sequence[str], scenario: str, revision: str) -> Results:
    """One client scenario: the suite serves it, and starts `command` with the URL as one more argument.

    Raises:
        NpmError: the suite is not to be had here.
        SuiteError: it did not finish, or the client failed where no check says so.
    """
    with tempfile.TemporaryDirectory() as folder:
        asked = ["--command", shlex.join(command), "--scenario", scenario, "--spec-version", revision]
        done = _suite(folder, "client", *asked, "--timeout", str(_CLIENT_S * 1000))
        results = read_results(revision, Path(folder))
    if not results.checks or (done.returncode != 0 and all(check.status in (PASSED, TOLD) for check in results.checks)):
        raise SuiteError(f"the client failed, or {scenario} was not run at {revision}: {done.stdout[-4000:]}")
    return results


def client_scenarios(revision: str) -> set[str]:
    """The names of those that apply at a revision.

    Raises:
        NpmError: the suite is not to be had here.
    """
    packages = installed(HERE)
    asked = ["list", "--client", "--spec-version", revision]
    told = subprocess.run(
        [packages.node, packages.folder / _PROGRAM, *asked], capture_output=True, text=True, check=True
    )
    return set(_LISTED.findall(told.stdout))


def _suite(folder: str, role: str, *asked: str) -> subprocess.CompletedProcess[str]:
    """Have the suite write what it finds below `folder`."""
    packages = installed(HERE)
    try:
        return subprocess.run(
            [packages.node, packages.folder / _PROGRAM, role, *asked, "--output-dir", folder],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_RUN_S,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise SuiteError(f"the suite did not finish within {_RUN_S} s: {late.stdout!r:.4000}") from late


@contextmanager
def serving(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Generator[str]:
    """Run a server for as long as the block runs, in this process's environment if none is given.

    Its address is the first that it prints.

    Raises:
        SuiteError: it ended, or a minute went by, before it printed one.
    """
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        output = _Output(process.stdout)
        output.start()
        try:
            output.known.wait(_START_S)
            if output.url is None:
                raise SuiteError(f"{' '.join(command)} printed no address: {''.join(output.last)}")
            yield output.url
        finally:
            process.terminate()
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
            output.join()


class _Output(threading.Thread):
    """Reads what a server prints to the end, so that the server never waits for a reader."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self.last = deque[str](maxlen=200)
        self.url: str | None = None
        self.known = threading.Event()

    def run(self) -> None:
        for line in self._stream:
            self.last.append(line)
            found = _URL.search(line)
            if found and self.url is None:
                self.url = found[0]
                self.known.set()
        self.known.set()
