"""Keys leave the environment of whoever starts Podium, and reach the house in a file nobody can name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-ant-a-key-that-is-none-" + "x" * 20

TAKER = """
import json, os, subprocess, sys
from pathlib import Path
from orchestrator.keys import anonymous_file, take_keys
keys = take_keys()
shown = Path("/proc/self/environ").read_bytes() if Path("/proc/self/environ").exists() else b""
child = subprocess.run([sys.executable, "-c", "import os; print(dict(os.environ))"], capture_output=True).stdout
fd = anonymous_file(keys)
print(json.dumps({
    "key": keys.get("ANTHROPIC_API_KEY"),
    "again": take_keys().get("ANTHROPIC_API_KEY"),
    "base": keys.get("ANTHROPIC_BASE_URL"),
    "shown": shown.decode(errors="replace"),
    "child": child.decode(),
    "file": os.pread(fd, 1 << 20, 0).decode(),
    "endpoints": sorted(json.loads(keys["PODIUM_MODELS_JSON"])["endpoints"]),
}))
"""


def taken(**more: str) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", TAKER],
        cwd=ROOT,
        env={
            **os.environ,
            "ANTHROPIC_API_KEY": KEY,
            "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
            "LAST": "stays",
            **more,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_a_key_is_taken_out_of_the_environment(tmp_path: Path) -> None:
    """Neither /proc nor a program started later shows it; what else was there stays."""
    found = taken(XDG_CONFIG_HOME=str(tmp_path))
    assert (found["key"], found["again"], found["base"]) == (KEY, KEY, "http://127.0.0.1:9")
    assert KEY not in found["shown"]
    assert KEY not in found["child"]
    assert "LAST=stays" in found["shown"]
    assert "'LAST': 'stays'" in found["child"]


def test_the_house_is_given_keys_and_endpoints_in_one_file(tmp_path: Path) -> None:
    """What a person configured goes along, so that the confined model server need not read it."""
    own = tmp_path / "models.toml"
    own.write_text('[endpoints.local]\nbase_url = "http://127.0.0.1:8901"\nkey_env = "LOCAL_KEY"\n')
    found = taken(PODIUM_MODELS=str(own), LOCAL_KEY="another-secret")
    assert "local" in found["endpoints"]
    assert json.loads(found["file"])["LOCAL_KEY"] == "another-secret"
    assert "another-secret" not in found["shown"]


def test_a_file_that_is_named_and_not_there_is_an_error(tmp_path: Path) -> None:
    """Nobody is sent to another endpoint than they meant."""
    done = subprocess.run(
        [sys.executable, "-c", "from orchestrator.keys import take_keys; take_keys()"],
        cwd=ROOT,
        env={**os.environ, "PODIUM_MODELS": str(tmp_path / "nothing.toml")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "cannot be read" in done.stderr
