"""`podium audit show`: all that is stored of one call."""

from __future__ import annotations

import json

import click
from rich.console import Group, RenderableType
from rich.text import Text

from orchestrator.auditing.reading import everybody
from orchestrator.auditing.story import Part, Story, story
from orchestrator.cli.audit_output import OUTCOMES
from orchestrator.cli.shared import document, json_option, ledger, out, start
from orchestrator.papers import Indented
from orchestrator.text import count, line, safe

MOST_CHARS = 4000
"""Of a body on a terminal; `--json` has all of it."""


@click.command()
@click.argument("which", metavar="ID")
@json_option
def show(which: str, as_json: bool) -> None:
    """Show one call: its request, executions and answer, who signed each and whether that holds, times and bodies.

    ID is a call's id or the beginning of it, or STREAM:SEQ, any message of the ledger. Progress is not stored.

    Bodies are as they were said, with whatever was in them; control characters are made visible, and what is long is
    cut on a terminal. Secrets are masked before a model sees them, not here (docs/security.md).

    \b
    Examples:
      podium audit show 4f0c2a91
      podium audit show LEDGER_repository:17
      podium audit show 4f0c2a91 --json | jq .parts[].verified
    """
    found = start(_show, which)
    if as_json:
        document(found)
    else:
        out().print(_drawn(found))


async def _show(which: str) -> Story:
    async with ledger() as bus:
        return await story(bus, await everybody(bus), which)


def _drawn(found: Story) -> Group:
    parts: list[RenderableType] = []
    if (record := found.record) is not None:
        parts.append(
            Text.assemble(
                (f"{record.caller} → {record.server}.{line(record.tool, 60)}  ", "bold cyan"),
                (record.outcome, OUTCOMES[record.outcome]),
            )
        )
        if record.failure:
            parts.append(Text(safe(str(record.failure)), "red"))
        facts = {
            "call": record.call_id,
            "run": " ".join(each for each in (record.run, record.step) if each),
            "for": record.subject,
            "parent": record.parent,
            "took": "" if record.duration_ms is None else f"{record.duration_ms:,.1f} ms",
            "executed": count(found.deliveries, "time"),
        }
        parts += [Text(f"  {name:<9}{line(said)}") for name, said in facts.items() if said]
    for part in found.parts:
        parts += [Text(), *_part(part)]
    return Group(*parts)


def _part(part: Part) -> list[RenderableType]:
    if part.verified:
        signed = (f"signed by {part.claims} at {part.signed_at}, verified", "green")
    elif part.claims:
        signed = (f"says it is signed by {line(part.claims, 60)}: that does not hold", "red")
    else:
        signed = ("not signed" + (": the broker's own note" if part.subject.startswith("$JS.") else ""), "yellow")
    shown = _indented(part.body)
    cut = f"\n… {len(shown) - MOST_CHARS:,} characters more; --json has them" if len(shown) > MOST_CHARS else ""
    return [
        Text.assemble((part.what, "bold"), f"  {part.place}  stored {part.stored_at:%Y-%m-%d %H:%M:%S.%f} UTC"),
        Text(f"  {line(part.subject, 4096)}", "dim"),
        Text.assemble("  ", signed),
        Text(f"  {part.bytes:,} bytes, sha256 {part.sha256}", "dim"),
        Indented(Text(safe(shown[:MOST_CHARS]) + cut)),
    ]


def _indented(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body
