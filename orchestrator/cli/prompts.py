"""`podium show --prompts`: what models were asked and what they answered, on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import JsonValue, TypeAdapter
from rich.console import Group, RenderableType
from rich.text import Text

from contracts.base import Model, RunId
from orchestrator.asked import Asked, asked
from orchestrator.cli.recall import find_run
from orchestrator.cli.shared import ledger
from orchestrator.cli.spending import spent
from orchestrator.exchanges import exchanges
from orchestrator.papers import Indented
from orchestrator.stats import MODEL
from orchestrator.text import count, duration, line, safe

_ANY = TypeAdapter[JsonValue](JsonValue)


class Prompts(Model):
    """`podium show RUN --prompts --json`."""

    run: RunId
    prompts: tuple[Asked, ...]
    unread: int = 0
    """Questions that were written by another version of Podium, in a form this one does not know."""


async def prompts_of(name: str) -> Prompts:
    """What models were asked in the run that `name` means."""
    async with ledger() as bus:
        run = await find_run(bus, name)
        found, unread = asked((await exchanges(bus, [MODEL]))[0], run)
        return Prompts(run=run, prompts=found, unread=unread)


def draw_prompts(found: Prompts) -> Group:
    """Every question in full."""
    if not found.prompts and not found.unread:
        return Group(Text(f"No model was asked in {found.run}."))
    parts: list[RenderableType] = []
    for number, each in enumerate(found.prompts, 1):
        parts += _question(number, len(found.prompts), each)
    if found.unread:
        parts.append(Text(f"{count(found.unread, 'question')} of another version of Podium cannot be shown.", "red"))
    return Group(*parts)


def _question(number: int, of: int, each: Asked) -> Sequence[RenderableType]:
    params = each.params
    template = f"{params.prompt.name} ({params.prompt.sha256[:12]})"
    head = Text.assemble(
        (f"── {number} of {of}  ", "dim"), (line(each.caller), "bold cyan"), f"  {line(each.step)}", ("  ", "")
    )
    head.append(f"{each.asked_at.astimezone():%H:%M:%S}", "dim")
    parts: list[RenderableType] = [head, Text(f"as {params.role}, prompt {line(template)}, call {each.call_id}", "dim")]
    if each.result is not None:
        got = each.result
        how = f"{line(got.model)} at {got.endpoint}, by {got.way}, {got.outcome}"
        masked = f", masked: {line(', '.join(got.spent.masked))}" if got.spent.masked else ""
        parts.append(Text(f"{how}, {spent(got.spent)}, {duration(got.duration_s)}{masked}", "dim"))
    parts += _said("system", params.system)
    for turn in params.turns:
        parts += _said(turn.role, turn.text)
    parts += _reply(each)
    parts.append(Text())
    return parts


def _reply(each: Asked) -> Sequence[RenderableType]:
    if each.failure is not None:
        return [Text(f"no reply: {safe(str(each.failure))}", "red")]
    if each.result is None:
        return [Text("no reply is stored yet", "yellow")]
    got, parts = each.result, list[RenderableType]()
    for attempt in got.attempts:
        parts.append(Text(f"paid for, by {attempt.way}, and not taken: {safe(attempt.why_not)}", "yellow"))
        parts += _said("reply, as it came", attempt.text)
        parts += _said("user", attempt.told)
    if got.reply is not None:
        parts += _said("reply", _ANY.dump_json(got.reply, indent=2).decode())
    if got.text:
        parts += _said("reply, as it came", got.text)
    if got.failure is not None:
        parts.append(Text(f"{got.outcome}: {safe(str(got.failure))}", "red"))
    return parts


def _said(who: str, text: str) -> Sequence[RenderableType]:
    return [Text(f"{who}:", "bold"), Indented(Text(safe(text)))] if text else []
