"""What tests run from npm is pinned, and its absence is an error that says what to do."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.suite import HERE
from tests.npm import NpmError, installed


@pytest.mark.parametrize(
    "lock_file", sorted(HERE.parent.glob("*/package-lock.json")), ids=lambda file: file.parent.name
)
def test_a_lock_pins_every_package_and_names_no_host(lock_file: Path) -> None:
    """Each has its integrity and none an address to fetch it from (docs/decisions/0007)."""
    lock: dict[str, dict[str, dict[str, Any]]] = json.loads(lock_file.read_text())
    packages = {path: entry for path, entry in lock["packages"].items() if path}
    assert [path for path, entry in packages.items() if "integrity" not in entry or "resolved" in entry] == []


def test_without_npm_the_error_says_what_is_expected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing npm is not a reason to skip."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NpmError, match="expected npm on the PATH"):
        installed(HERE)


def test_what_npm_says_when_it_fails_is_in_the_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing half installed is left for the next attempt to take for the whole."""
    cache, project = tmp_path / "cache", tmp_path / "project"
    project.mkdir()
    (project / "package.json").write_text(json.dumps({"dependencies": {"is-promise": "4.0.0"}}))
    (project / "package-lock.json").write_text("{}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    with pytest.raises(NpmError, match="npm error"):
        installed(project)
    assert os.listdir(cache / "podium/npm") == []
