"""`podium agents rotate`: other keys."""

from __future__ import annotations

import click

from bus.connect import identities
from bus.grants import NOTARY
from bus.identity import rotate_identity
from orchestrator import house as houses
from orchestrator.cli.shared import document, json_option, start
from orchestrator.cli.trouble import trouble


@click.command()
@click.argument("name", required=False, default="")
@click.option("--all", "everybody", is_flag=True, help="Everybody's but the notary's.")
@json_option
def rotate(name: str, everybody: bool, as_json: bool) -> None:
    """Give a member, a host (`host_NAME`), or everybody another key; the broker refuses the one they had.

    A house that runs takes it up at once: members finish what they are at, and start with the new key; calls that are
    under way are answered. Commands that run under a rotated identity (`podium run` is `orchestrator`) are cut off, and
    `podium resume` goes on with their runs. What was signed before still verifies. The notary's key stays, as outsiders
    trust the ledger by it.

    \b
    Examples:
      podium agents rotate test_runner
      podium agents rotate --all
      podium agents rotate --all --json
    """
    known = sorted(file.stem for file in identities(houses.state_dir()).glob("*.nk"))
    if bool(name) == everybody:
        raise trouble("Say whose key: a NAME, or --all.", f"There are keys of {', '.join(known) or 'nobody'}.", code=2)
    if name == NOTARY:
        why = "The notary's key is the one by which outsiders trust the ledger, and it cannot be replaced unseen."
        raise trouble(why, "docs/audit.md says what another one means.")
    if name and name not in known:
        raise trouble(f"{name} has no key yet.", f"There are keys of {', '.join(known) or 'nobody'}.")
    folder, rotated = identities(houses.state_dir()), dict[str, str]()
    try:
        for each in [name] if name else [one for one in known if one != NOTARY]:
            rotated[each] = rotate_identity(folder, each).public
    finally:  # whoever has another key is to be known by it, also where one could not be replaced
        found = start(houses.reload, houses.state_dir()) if rotated else None
    if as_json:
        document({"rotated": rotated, "taken_up": found is not None})
        return
    for each, public in rotated.items():
        click.echo(f"{each}: {public}")
    click.echo("The house that runs goes by it." if found else "No house runs; the next one goes by it.", err=True)
