"""`podium mcp install`: Podium's entry in the configuration of a host."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import click

from contracts.base import Model, utc_now
from orchestrator.cli.shared import a_name, document, json_option
from orchestrator.cli.trouble import trouble
from orchestrator.errors import ConfigError
from orchestrator.hosts.errors import EditError
from orchestrator.hosts.files import Update, look, update
from orchestrator.hosts.formats import Change, with_entry, without_entry
from orchestrator.hosts.launch import launch
from orchestrator.hosts.table import HOSTS, Host, place
from orchestrator.text import safe


class Installed(Model):
    """What `--json` prints."""

    host: str
    file: str
    name: str
    action: Literal["added", "replaced", "removed", "unchanged"]
    written: bool
    """False where nothing changes, and with `--print`."""
    backup: str | None
    """The file as it was before; null where none was written, or there was none."""
    entry: Mapping[str, object] | None
    """What the host reads; null with `--remove`."""


@click.command()
@click.argument("host", type=click.Choice(list(HOSTS)), metavar="HOST")
@click.option("--print", "shown", is_flag=True, help="Show what would change; write nothing.")
@click.option("--remove", is_flag=True, help="Take the entry away again.")
@click.option(
    "--project",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="The file of this project instead of your own.",
)
@click.option(
    "--file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="This file instead: another profile's, another edition's.",
)
@click.option("--name", default="podium", show_default=True, callback=a_name, help="What the host calls Podium.")
@click.option("--force", is_flag=True, help="Replace an entry of that name that says something else.")
@json_option
def install(
    host: str,
    shown: bool,
    remove: bool,
    project: Path | None,
    file: Path | None,
    name: str,
    force: bool,
    as_json: bool,
) -> None:
    """Add Podium to a host: claude-desktop, claude-code, cursor, vscode, codex or goose.

    One entry is written into the host's own configuration; everything else in it stays as it is, and the file as it
    was before is kept beside it. A file that is broken is not touched. The entry starts the Podium that you call
    now, and holds no key.

    A host that is running has to be restarted, or its servers reloaded. Close Claude Code and Goose before: they
    write these files themselves.

    \b
    Examples:
      podium mcp install claude-code
      podium mcp install vscode --project . --print
      podium mcp install goose --remove
    """
    chosen = HOSTS[host]
    target = _file(chosen, project, file)
    entry = None if remove else chosen.entry(name, launch(chosen.name, os.environ))

    def edit(text: str) -> Change:
        if entry is None:
            return without_entry(chosen.form, text, chosen.section, name)
        change = with_entry(chosen.form, text, chosen.section, name, entry)
        if change.differs and not force and not shown:
            raise trouble(
                f"{target} has another `{name}` already; it differs in {', '.join(change.differs)}.",
                "--print shows the difference, --force replaces it, --name adds a second one.",
            )
        return change

    try:
        done = Update(look(target, edit)) if shown else update(target, edit, utc_now())
    except EditError as error:
        by_hand = "" if entry is None else f" By hand:\n{chosen.form.put('', chosen.section, name, entry)}"
        raise ConfigError(
            str(target), "", f"{error.reason}. Nothing was written", f"Mend it and say this again.{by_hand}"
        ) from error
    found = _installed(chosen, target, name, entry, done, written=not shown)
    if as_json:
        document(found)
        return
    if shown and found.action != "unchanged":
        click.echo(_difference(target, done.change), nl=False)
        if done.change.differs and not force:
            click.echo(f"It replaces another `{name}`: writing it needs --force.", err=True)
        return
    _tell(chosen, found)


def _file(host: Host, project: Path | None, file: Path | None) -> Path:
    if project is not None and file is not None:
        raise click.UsageError("Say --project or --file, not both.")
    if project is not None and not host.project:
        raise click.UsageError(f"{host.title} has no configuration for a project; leave --project out.")
    if project is not None:
        return project.resolve() / host.project
    return file.absolute() if file else Path(place(host, sys.platform, {**os.environ, "HOME": str(Path.home())}))


def _installed(
    host: Host, file: Path, name: str, entry: Mapping[str, object] | None, done: Update, *, written: bool
) -> Installed:
    action: Literal["added", "replaced", "removed", "unchanged"] = "added"
    if done.change.after == done.change.before:
        action = "unchanged"
    elif entry is None:
        action = "removed"
    elif done.change.differs:
        action = "replaced"
    return Installed(
        host=host.name,
        file=str(file),
        name=name,
        action=action,
        written=written and action != "unchanged",
        backup=None if done.backup is None else str(done.backup),
        entry=entry,
    )


def _difference(file: Path, change: Change) -> str:
    lines = difflib.unified_diff(
        change.before.splitlines(), change.after.splitlines(), str(file), str(file), lineterm=""
    )
    return "".join(f"{safe(line)}\n" for line in lines)


def _tell(host: Host, found: Installed) -> None:
    if found.action == "unchanged":
        where = "is not in" if found.entry is None else "is already in"
        click.echo(f"{host.title}: `{found.name}` {where} {found.file}; nothing was written.")
        return
    way = {"added": "added to", "replaced": "replaced in", "removed": "removed from"}[found.action]
    click.echo(f"{host.title}: `{found.name}` {way} {found.file}")
    if found.backup is not None:
        click.echo(f"  as it was before: {found.backup}")
    click.echo(f"  Restart {host.title} if it is running.")
