"""Keys leave the environment of whoever starts Podium, and reach the house in a file nobody can name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.keys import KeyMarks

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-ant-a-key-that-is-none-" + "x" * 20
ADDRESS = "http://ann:s3cret@127.0.0.1:9"

TAKER = """
import json, os, subprocess, sys
from pathlib import Path
from orchestrator.keys import anonymous_file, take_keys
taken = take_keys()
keys = taken.handed
shown = Path("/proc/self/environ").read_bytes() if Path("/proc/self/environ").exists() else b""
child = subprocess.run([sys.executable, "-c", "import os; print(dict(os.environ))"], capture_output=True).stdout
fd = anonymous_file(keys)
print(json.dumps({
    "key": keys.get("ANTHROPIC_API_KEY"),
    "again": take_keys().handed == keys,
    "base": keys.get("ANTHROPIC_BASE_URL"),
    "shown": shown.decode(errors="replace"),
    "child": child.decode(),
    "file": os.pread(fd, 1 << 20, 0).decode(),
    "endpoints": sorted(json.loads(keys.get("PODIUM_MODELS_JSON", '{"endpoints": []}'))["endpoints"]),
    "problem": str(taken.problem or ""),
}))
"""


def taken(**more: str) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", TAKER],
        cwd=ROOT,
        env={
            **os.environ,
            "ANTHROPIC_API_KEY": KEY,
            "ANTHROPIC_BASE_URL": ADDRESS,
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
    assert (found["key"], found["again"], found["base"]) == (KEY, True, ADDRESS)
    for hidden in (KEY, "s3cret"):
        assert hidden not in found["shown"]
        assert hidden not in found["child"]
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


def test_the_usual_key_is_forgotten_also_where_the_endpoint_names_another(tmp_path: Path) -> None:
    """Nobody needs it then, and whoever is started from here would find it all the same."""
    own = tmp_path / "models.toml"
    own.write_text('[endpoints.anthropic]\nkey_env = "MY_KEY"\n')
    found = taken(PODIUM_MODELS=str(own), MY_KEY="my-own-secret")
    assert json.loads(found["file"])["MY_KEY"] == "my-own-secret"
    assert KEY not in found["shown"] + found["child"] + found["file"]


@pytest.mark.parametrize("broken", ["[endpoints.local", "[endpoints.local]\nnothing_like_this = 1\n"])
def test_keys_are_forgotten_also_where_the_file_that_names_them_is_broken(tmp_path: Path, broken: str) -> None:
    """Nothing is handed on then; what is wrong is told to who wants to ask a model."""
    own = tmp_path / "models.toml"
    own.write_text(f'{broken}\nkey_env = "LOCAL_KEY"\n')
    found = taken(PODIUM_MODELS=str(own), LOCAL_KEY="another-secret")
    assert str(own) in found["problem"]
    assert found["file"] == "{}"
    assert "another-secret" not in found["shown"] + found["child"]


def test_an_address_that_is_none_is_said_without_its_password(tmp_path: Path) -> None:
    """The word that is shown is not the one that was kept from everybody."""
    found = taken(XDG_CONFIG_HOME=str(tmp_path), ANTHROPIC_BASE_URL="htp://ann:s3cret@there")
    assert "htp://there" in found["problem"]
    assert "s3cret" not in found["problem"]


def test_a_file_that_is_named_and_not_there_is_an_error(tmp_path: Path) -> None:
    """Nobody is sent to another endpoint than they meant."""
    done = subprocess.run(
        [sys.executable, "-c", "from orchestrator.keys import take_keys; print(take_keys().problem)"],
        cwd=ROOT,
        env={**os.environ, "PODIUM_MODELS": str(tmp_path / "nothing.toml")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "cannot be read" in done.stdout


def test_marks_tell_who_has_the_same_keys_and_nobody_else() -> None:
    """They name what differs or is missing; another house's marks of the same key are others."""
    values = {"A_KEY": "one", "B_KEY": "two"}
    marks, others = KeyMarks.of(values), KeyMarks.of(values)
    assert marks.differing(values) == ()
    assert marks.differing({"A_KEY": "one"}) == (), "whoever has fewer has no others"
    assert marks.differing({}) == ()
    assert marks.differing({"A_KEY": "two", "B_KEY": "two", "C_KEY": "one"}) == ("A_KEY", "C_KEY")
    assert set(marks.digests.values()).isdisjoint(others.digests.values())
    assert len({*marks.digests.values(), *KeyMarks.of({"A_KEY": "same", "B_KEY": "same"}).digests.values()}) == 4
    assert "one" not in marks.model_dump_json()
