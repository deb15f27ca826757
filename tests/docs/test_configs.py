"""Each file people change is loaded by the code that reads it."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from bus.broker import find_server
from contracts.config import ModelsConfig, PriceTable
from contracts.server_json import ServerJson
from orchestrator.config import CONFIGS, load_project, load_workflow, read
from servers.broker_config import broker_config
from servers.crew import read_crew

ROOT = CONFIGS.parent
FILES = sorted(path for path in CONFIGS.rglob("*") if path.is_file())


def accepted_by_nats(file: Path) -> bool:
    """Whether `nats-server` takes the example as it stands, with the users that `podium broker-config` prints."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(file.parent, folder / "example")
        for environment in ("", "dev", "prod"):
            printed = broker_config(folder / "state" / environment, read_crew(CONFIGS / "crew.toml"), environment)
            (folder / "example" / f"{environment or 'podium'}.json").write_text(printed)
        included = "node-1.conf" if file.name in ("node.conf", "routes.conf") else ""
        asked = [find_server(), "-t", "-c", str(folder / "example" / (included or file.name))]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return True


def load(file: Path) -> object:
    """Load a file by the rule for its place."""
    if file == CONFIGS / "crew.toml":
        return read_crew(file)
    if file == CONFIGS / "models.toml":
        return read(file, ModelsConfig)
    if file == CONFIGS / "prices.toml":
        return read(file, PriceTable)
    if file.parent == CONFIGS / "servers":
        return ServerJson.model_validate_json(file.read_bytes())
    if file.parent in (CONFIGS / "cluster", CONFIGS / "environments"):
        return accepted_by_nats(file)
    if file.parent == CONFIGS / "workflows":
        return load_workflow(file.stem)
    raise AssertionError(f"no test loads {file.relative_to(CONFIGS)}")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(CONFIGS)))
def test_every_config_loads(file: Path) -> None:
    """What ships can be read, and nothing ships that nobody reads."""
    assert load(file) is not None


def test_the_example_in_the_documentation_is_a_valid_podium_toml(tmp_path: Path) -> None:
    """What people copy from docs/configuration.md is accepted as it stands."""
    page = (CONFIGS.parent / "docs/configuration.md").read_text(encoding="utf-8")
    (tmp_path / "podium.toml").write_text(page.split("```toml\n")[1].split("```")[0], encoding="utf-8")

    project = load_project(tmp_path)

    assert project.test.python == ".venv/bin/python"
    assert project.budgets.search_s == 60


@pytest.mark.parametrize("page", ["README.md", "docs/foreign-servers.md", "docs/cli.md", "docs/adding-an-agent.md"])
def test_an_agent_that_is_served_as_a_page_says_is_granted_what_it_needs(page: str) -> None:
    """What the command line does not grant, the page has granted before."""
    text = (ROOT / page).read_text(encoding="utf-8")
    before = re.findall(r"podium agents grant doc_writer (.+)", text)
    for options in re.findall(r"podium serve \S*doc_writer\.py(.*)", text):
        granted = {*re.findall(r"--grant (\S+)", options), *" ".join(before).split()}
        assert {"repository.list", "repository.read"} <= granted, options
