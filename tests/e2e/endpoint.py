"""A scripted Messages endpoint beside a house: what it is asked is counted there, not in Podium."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.cli.conftest import ROOT

KEY = "sk-ant-canary-" + secrets.token_hex(16)
"""This test process's own: wherever on the machine it turns up, something of these tests carried it there."""


@dataclass(frozen=True)
class Endpoint:
    """Where it listens."""

    url: str
    _said: IO[str]

    def wait_until_asked(self) -> str:
        """Wait for the next question; the name of what is asked for."""
        return self._said.readline().strip()

    @property
    def env(self) -> dict[str, str]:
        """The environment of a command that may ask it."""
        return {"ANTHROPIC_BASE_URL": self.url, "ANTHROPIC_API_KEY": KEY}

    def requests(self) -> list[dict[str, Any]]:
        """What it was asked, as `tests.model.script.Asked.told` says it."""
        with urllib.request.urlopen(f"{self.url}/_requests") as answer:
            told: list[dict[str, Any]] = json.load(answer)
        return told


@contextmanager
def endpoint(folder: Path, script: object) -> Generator[Endpoint]:
    """A process of its own that answers by `script`; see `tests.model.script`."""
    file = folder / "script.json"
    file.write_text(json.dumps(script))
    command = [sys.executable, "-m", "tests.model.messages_server", "--script", str(file)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Endpoint(process.stdout.readline().strip(), process.stdout)
        finally:
            process.kill()


def rules(**steps: list[Mapping[str, object]]) -> dict[str, object]:
    """A script: the steps by the name of what is asked for; the last of them is repeated."""
    return {
        "rules": [
            rule
            for name, said in steps.items()
            for rule in ({"name": name, "steps": said[:-1]}, {"name": name, "steps": said[-1:], "again": True})
        ]
    }
