"""`podium new-agent`: a file to begin an agent with, and its test."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from string import Template

import click

from orchestrator.cli.shared import document, json_option
from orchestrator.cli.trouble import trouble

SCAFFOLD = Path(__file__).resolve().parent.parent / "scaffold"

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


@click.command("new-agent")
@click.argument("name")
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("agents"),
    show_default=True,
    help="Where to put the files.",
)
@json_option
def new_agent(name: str, folder: Path, as_json: bool) -> None:
    """Begin an agent of your own: one file with its contract, its manifest and a tool, and a test beside it.

    It is a working agent that counts files. Change it, run its test, serve it, and grant it what it needs.

    \b
    Examples:
      podium new-agent doc_writer
      podium new-agent doc_writer --dir tools/agents
    """
    if not _NAME.fullmatch(name):
        way_out = "Take lower-case words joined by single underscores, as in doc_writer: it is a module's name, too."
        raise trouble(f"{name} cannot be an agent's name.", way_out, code=2)
    words = name.split("_")
    values = {"name": name, "cls": "".join(map(str.capitalize, words)), "title": " ".join(words).capitalize()}
    files = {folder / f"{name}.py": "agent.py.txt", folder / f"test_{name}.py": "test.py.txt"}
    if there := [str(file) for file in files if file.exists()]:
        raise trouble(f"{', '.join(there)} exists.", "Take another name, or another --dir.", code=2)
    folder.mkdir(parents=True, exist_ok=True)
    for file, template in files.items():
        file.write_text(Template((SCAFFOLD / template).read_text(encoding="utf-8")).substitute(values), "utf-8")
    if as_json:
        document({"name": name, "files": [str(file) for file in files]})
        return
    for file in files:
        click.echo(f"{file}")
    python, test = shlex.quote(sys.executable), shlex.quote(str(folder / f"test_{name}.py"))
    click.echo(
        f"\nIts test:   {python} -m pytest --import-mode=prepend {test}\n"
        f"Its grant:  podium agents grant {name} repository.list\n"
        f"Serve it:   podium serve {shlex.quote(str(folder / f'{name}.py'))}",
        err=True,
    )
