"""`podium agents`: the crew as the registry sees it, and what its members and hosts are granted."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Group
from rich.table import Table
from rich.text import Text

from bus.connect import identities
from bus.identity import load_identity
from bus.key_file import write_key_file
from bus.registry import cards
from contracts.base import utc_now
from contracts.config import ServerConfig
from contracts.manifest import Card
from orchestrator import house as houses
from orchestrator.cli.rotate import rotate
from orchestrator.cli.shared import document, json_option, ledger, out, start, who
from orchestrator.cli.trouble import trouble
from orchestrator.config import crew_file, load_crew
from orchestrator.crew import HOST_PREFIX, changed, write
from orchestrator.errors import ConfigError
from orchestrator.hosts.errors import EditError
from orchestrator.hosts.files import Update, undo
from orchestrator.house_start import HouseFailed
from orchestrator.pins import write_pin
from orchestrator.text import duration, line

_what = click.argument("what", nargs=-1, required=True, metavar="SCOPE|TOOL…")


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def agents(context: click.Context, as_json: bool) -> None:
    """Show the crew as the registry sees it: tools, scopes, how each is confined.

    Its commands show one member in full, and change what it, or a host, is granted.

    \b
    Examples:
      podium agents
      podium agents --json
      podium agents show test_runner
      podium agents grant doc_writer repository.list repository.read
      podium agents grant host:cursor "repository.*"
      podium agents revoke host:cursor "repository.*"
      podium agents approve files
      podium agents key test_runner test_runner.key
      podium agents rotate --all
    """
    if context.invoked_subcommand is None:
        found = start(_cards)
        if as_json:
            document(found)
        else:
            out().print(Group(*(_card(card) for card in found)))


@agents.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show one member: what each tool is for and how long it may work on a call, its grant, who may call it.

    \b
    Examples:
      podium agents show repository
      podium agents show repository --json
    """
    everybody = start(_cards)
    found = [card for card in everybody if card.manifest.name == name]
    if not found:
        raise trouble(f"There is no {name} in the crew now.", "`podium agents` lists who is there.")
    if as_json:
        document(found)
        return
    crew, scopes = load_crew(), {card.manifest.name: card.granted_scopes for card in everybody}
    callers = [who for who, grant in crew.servers.items() if _may_call(name, grant.calls)]
    hosts = [f"{HOST_PREFIX}{who}" for who, grant in crew.hosts.items() if _may_call(name, grant.granted(scopes))]
    for card in found:
        out().print(_card(card))
    table = Table.grid(padding=(0, 2, 0, 2))
    for tool in found[0].tools:
        writes = Text("" if tool.read_only else "writes", "yellow")
        within = Text(_within(found[0].deadlines_s.get(tool.name)), "dim")
        table.add_row(Text(tool.name, "bold"), writes, within, Text(tool.title))
    out().print(Group(Text("  called by  " + ", ".join(["orchestrator", *callers, *hosts]), "dim"), table))


@agents.command()
@click.argument("name")
@_what
@json_option
def grant(name: str, what: tuple[str, ...], as_json: bool) -> None:
    """Grant a member, or a host, scopes or tools of others; it holds from now on.

    NAME is a server's, or `host:NAME` for an MCP host. What is not granted does not exist for it. The grant is written
    into your own crew file, where everything else stays as it is; a house that runs takes it up at once.

    \b
    A tool is server.tool or server.*; scopes are
      work:read, work:write       runs' trees
      files:read:/P, files:write:/P   a path outside
      sandbox:run                 programs in the sandbox
      net:connect:PORT            the network, that TCP port
      net:model                   the keys of model endpoints

    \b
    Examples:
      podium agents grant doc_writer repository.list repository.read
      podium agents grant files files:read:/srv/docs
      podium agents grant host:cursor "repository.*" test_runner.run
    """
    _change(name, what, as_json, revoke=False)


@agents.command()
@click.argument("name")
@_what
@json_option
def revoke(name: str, what: tuple[str, ...], as_json: bool) -> None:
    """Take a grant back.

    Only what is held as such can be taken: out of `repository.*` no single tool. What a member of Podium's own needs
    stays. Who does not start without it is named, and is without it all the same.

    \b
    Examples:
      podium agents revoke doc_writer repository.read
      podium agents revoke host:cursor "repository.*"
    """
    _change(name, what, as_json, revoke=True)


@agents.command()
@click.argument("name")
@click.option("--sha256", "seen", default="", metavar="DIGEST", help="Approve only what has this digest.")
@json_option
def approve(name: str, seen: str, as_json: bool) -> None:
    """Approve the tools a member offers now; its calls are answered from then on.

    Their definitions are pinned beside your crew file. When they change, every call is refused with what changed,
    until you approve again: look at them first (`podium agents show NAME --json`). Podium's own members need none.

    \b
    Examples:
      podium agents approve files
      podium agents approve files --sha256 3cd345f1
    """
    card = start(_approve, name, seen)
    if as_json:
        document({"name": name, "tools": [tool.name for tool in card.tools], "tools_sha256": card.tools_sha256})
        return
    count = f"{len(card.tools)} tools" if len(card.tools) != 1 else "1 tool"
    click.echo(f"{name}: {count} approved, sha256 {card.tools_sha256[:16]}…: {', '.join(t.name for t in card.tools)}")
    if card.refuses:
        click.echo(f"Until now calls were refused: {card.refuses}", err=True)


@agents.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
def key(name: str, file: Path) -> None:
    """Write a member's private key to FILE, to serve it on another machine (`podium serve NAME --away`).

    Who has the file is that member to all others: it can do what the member was granted, answer its calls and read
    what it is asked. Only you can read the file; carry it over a way that others cannot read either.

    \b
    Examples:
      podium agents key test_runner test_runner.key
    """
    if name not in load_crew().servers:
        raise trouble(f"There is no {name} in the crew file.", f"It has {', '.join(sorted(load_crew().servers))}.")
    try:
        write_key_file(file, load_identity(identities(houses.state_dir()), name))
    except OSError as wrong:
        raise trouble(f"{file} cannot be written: {wrong.strerror}.", "Name a file that is not there yet.") from wrong
    click.echo(f"{file} is {name}'s private key. Whoever has it is {name} in this crew.")


async def _approve(name: str, seen: str) -> Card:
    state = houses.state_dir()
    async with ledger() as bus:
        found = [card for card in await cards(bus) if card.manifest.name == name]
        if not found:
            raise trouble(f"There is no {name} in the crew now.", "`podium agents` lists who is there.")
        if not found[0].tools_sha256.startswith(seen):
            what = f"What {name} offers now has the digest {found[0].tools_sha256}, not {seen}."
            raise trouble(what, f"Look again: podium agents show {name} --json")
        write_pin(crew_file(), found[0], who())
        await houses.reload(state)
        return found[0]


def _change(name: str, what: tuple[str, ...], as_json: bool, *, revoke: bool) -> None:
    try:
        entry = changed(name, what, revoke=revoke)
        done = write(name, entry, utc_now())
    except EditError as error:
        raise ConfigError(str(crew_file()), "", str(error), "Change it there by hand.") from error
    found = _taken_up(done)
    scopes = entry.scopes if isinstance(entry, ServerConfig) else ()
    held = found.holds.get(name) if found else None
    if as_json:
        backup = str(done.backup) if done.backup else None
        document({"name": name, "scopes": scopes, "calls": entry.calls, "file": str(crew_file()), "backup": backup})
        return
    click.echo(f"{name} holds: {', '.join(held if held is not None else (*scopes, *entry.calls)) or 'nothing'}")
    click.echo(f"{crew_file()}" + (f", as it was before: {done.backup}" if done.backup else ""), err=True)


def _taken_up(done: Update) -> houses.House | None:
    """The house, if one runs, with the crew as the file has it now.

    Raises:
        HouseFailed: it does not take that, and the file is as it was; or it does, and somebody cannot serve so.
    """
    try:
        return start(houses.reload, houses.state_dir())
    except HouseFailed as refused:
        if refused.failure.kind != "invalid":
            way_out = f"That is what {crew_file()} says now."
        else:
            undo(crew_file(), done)
            way_out = f"Nothing was changed; {crew_file()} is as it was."
        raise HouseFailed(refused.failure.model_copy(update={"way_out": way_out})) from refused


def _may_call(server: str, calls: tuple[str, ...]) -> bool:
    return any(call.partition(".")[0] == server for call in calls)


def _within(deadline_s: float | None) -> str:
    return "by its parameters" if deadline_s is None else f"within {duration(deadline_s)}"


async def _cards() -> tuple[Card, ...]:
    async with ledger() as bus:
        return await cards(bus)


def _card(card: Card) -> Group:
    grid = Table.grid(padding=(0, 1, 0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    tools = ", ".join(spec.name for spec in card.tools)
    grid.add_row("tools", Text(tools))
    grid.add_row("holds", Text(", ".join(card.granted_scopes) or "nothing"))
    if card.granted_calls:
        grid.add_row("may call", Text(", ".join(card.granted_calls)))
    grid.add_row("confined", Text(line(card.confinement)))
    if card.sandbox:
        grid.add_row("sandbox", Text(card.sandbox))
    if card.refuses:
        grid.add_row("calls", Text(f"are refused: {line(card.refuses)}", style="yellow"))
    up = duration((utc_now() - card.started_at).total_seconds())
    grid.add_row("alive", Text(f"for {up}, process {card.pid}, tools {card.tools_sha256[:12]}"))
    head = Text.assemble((card.manifest.name, "bold cyan"), f"  {line(card.manifest.description)}")
    return Group(head, grid)


agents.add_command(rotate)
