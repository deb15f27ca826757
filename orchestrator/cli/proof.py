"""`podium audit export`, `verify`, `key`: what proves to somebody else what is on the ledger."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import Any

import anyio
import click

from bus.bus import Bus
from bus.connect import identities
from bus.grants import NOTARY
from bus.identity import load_identity
from bus.notary import newest_file, read
from orchestrator import recording
from orchestrator.cli.recall import find_run
from orchestrator.cli.shared import document, json_option, ledger, out, start
from orchestrator.cli.trouble import trouble
from orchestrator.house import state_dir
from orchestrator.proof import NotSigned, RolledBack, Span, lines, signed_ledger, signed_run
from orchestrator.recording_file import writing
from orchestrator.standalone import verify_ledger
from orchestrator.text import count

_SIGNED_S = 10.0
"""How long the notary is waited for, which signs every second."""
_AGAIN_S = 0.5
_AT_ONCE = 256 << 10
"""Bytes that are handed to the verifier at a time."""


@click.command()
@click.option("--run", default="", metavar="RUN", help="A run's name, its beginning, or `last`; else the whole ledger.")
@click.option("-o", "--output", required=True, metavar="FILE", help="File to write; `-` for standard output.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def export(run: str, output: str, force: bool) -> None:
    """Write a run's part of the ledger, or all of it, to a file that proves itself: JSON Lines, a message each.

    Events, gates, and every call and answer that belongs to the run, agents' own too, exactly as they are stored, with
    their senders' signatures; between them the notary's, and of other messages a digest each. `podium audit verify
    FILE` and `podium replay FILE` need nothing else.

    The file holds prompts and code; only you can read it.

    \b
    Examples:
      podium audit export --run last -o run.jsonl
      podium audit export --run r-7k -o - | gzip > run.jsonl.gz
    """
    with ExitStack() as opened:
        try:
            write = click.echo if output == "-" else opened.enter_context(writing(Path(output), force=force))
            told = start(_export, run, write)
            opened.close()
        except FileExistsError as error:
            raise trouble(f"{output} exists.", "Name another file, or say --force.", code=2) from error
    if output != "-":
        click.echo(f"{output}: {told}", err=True)


async def _export(name: str, write: Any) -> str:
    async with ledger() as bus:
        kept = None
        if name:
            kept = await recording.record(bus, await find_run(bus, name), await recording.readable(bus))
        span = await signed_ledger(bus) if kept is None else await _signed(bus, kept)
        async with aclosing(lines(bus, span, kept, _notary())) as rows:
            async for row in rows:
                write(row)
    if kept is None:
        return f"the whole ledger up to checkpoint {span.last.number}, {count(span.lines, 'line')}"
    return f"{kept.run}, {count(len(kept.messages), 'message')}, signed by checkpoint {span.last.number}"


async def _signed(bus: Bus, kept: recording.Recording) -> Span:
    """What is signed of the run, once its last message is."""
    deadline = anyio.current_time() + _SIGNED_S
    while True:
        try:
            return await signed_run(bus, kept)
        except NotSigned:
            if anyio.current_time() > deadline:
                raise
        await anyio.sleep(_AGAIN_S)


def _notary() -> str:
    return load_identity(identities(state_dir()), NOTARY).public


@click.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--notary-key", default="", metavar="KEY", help="Whom to trust; else who the file, or this house, says.")
@click.option("--after", default=0, metavar="N", help="Of the ledger: what was signed beyond checkpoint N only.")
@click.option("--unfinished", is_flag=True, help="Accept a run that has not ended.")
@click.option("--allow-foreign", is_flag=True, help="Count messages that nobody entitled sealed, and go on.")
@json_option
@click.pass_context
def verify(
    context: click.Context,
    file: str | None,
    notary_key: str,
    after: int,
    unfinished: bool,
    allow_foreign: bool,
    as_json: bool,
) -> None:
    """Check that nothing was changed: a FILE of `podium audit export`, or this ledger, all of it.

    Every message's signature, its place in the notary's chain, and the notary's signatures; of a run that it is whole.
    The first bad record is named. `orchestrator/standalone/verify_ledger.py` does it, which needs nothing of Podium:
    give it to whom the file is for, with the key that `podium audit key` prints.

    Exit codes: 0 verified, 1 not.

    \b
    Examples:
      podium audit verify run.jsonl --notary-key UAD4X6MORA2W…
      podium audit verify
      podium audit verify --after 512 --json
    """
    if file is None and not notary_key:
        notary_key = _notary()
    command = [sys.executable, verify_ledger.__file__, file or "-", "--notary-key", notary_key]
    command += [f"--{name}" for name, on in (("unfinished", unfinished), ("allow-foreign", allow_foreign)) if on]
    if file is None:
        found = start(_verify_ledger, command, after)
    elif after:
        raise trouble("--after is for the ledger; a file is checked whole.", "Leave it out.", code=2)
    else:
        found = _read(subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout)
    if as_json:
        document(found)
    else:
        out().print(_words(found, trusted=bool(notary_key)), soft_wrap=True, highlight=False, markup=False)
    context.exit(0 if found["verified"] else 1)


async def _verify_ledger(command: list[str], after: int) -> dict[str, Any]:
    """Let the verifier read the ledger as it is read from the broker."""
    async with ledger() as bus:
        try:
            span = await signed_ledger(bus, after, read(newest_file(state_dir())))
        except RolledBack as wrong:
            return {"verified": False, "record": "NOTARY", "why": str(wrong)}
        async with await anyio.open_process(command, stderr=None) as verifier:
            assert verifier.stdin is not None
            assert verifier.stdout is not None
            held = bytearray()
            try:
                async with verifier.stdin, aclosing(lines(bus, span, None, _notary())) as rows:
                    async for row in rows:
                        held += f"{row}\n".encode()
                        if len(held) > _AT_ONCE:
                            await verifier.stdin.send(bytes(held))
                            held.clear()
                    await verifier.stdin.send(bytes(held))
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                pass  # it has found something, and needs no more
            said = b"".join([part async for part in verifier.stdout])
    return _read(said)


def _read(said: bytes) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(said)
    except ValueError:
        raise trouble("The verifier ended without a verdict; what it said is above.") from None
    return found


def _words(found: dict[str, Any], *, trusted: bool) -> str:
    if not found["verified"]:
        return f"✗ not verified: {found['record']}: {found['why']}"
    if found["run"]:
        end = "to its end" if found["ended"] else "on; it has not ended, or was cut off"
        what = f"run {found['run']}, from its first event {end}"
    else:
        what = "the ledger" + (f", from checkpoint {found['after']} on" if found["after"] else "")
    held = f"{count(found['messages'], 'message')}, {count(found['checkpoints'], 'checkpoint')}"
    parts = [f"✓ verified: {what}", f"  {held}"]
    if found["withheld"]:
        parts.append(f"  {count(found['withheld'], 'message')} of others, of which only digests are in it")
    if found["foreign"]:
        parts.append(f"  {count(found['foreign'], 'message')} that nobody entitled sealed: they count for nothing")
    parts += [f"  signed up to checkpoint {found['checkpoint']} of {found['at']}", f"  notary {found['notary']}"]
    if not trusted:
        parts.append(
            "  That key is the file's own word: compare it with what `podium audit key` prints where it is from."
        )
    return "\n".join(parts)


@click.command()
@json_option
def key(as_json: bool) -> None:
    """Print the notary's public key, and the newest checkpoint that it has signed.

    Whoever is to believe an exported file must have the key from you by another way than the file. Who also keeps the
    checkpoint's number and digest elsewhere can show later that nothing signed until then has gone.

    \b
    Examples:
      podium audit key
    """
    folder = identities(state_dir())
    if not (folder / f"{NOTARY}.nk").exists():
        raise trouble("There is no notary yet.", "The first `podium up` or `podium run` makes one.")
    newest = read(newest_file(state_dir()))
    found = {"notary": _notary(), "checkpoint": newest and {"number": newest.number, "sha256": newest.digest()}}
    if as_json:
        document(found)
        return
    click.echo(found["notary"])
    if newest:
        click.echo(f"checkpoint {newest.number} of {newest.at:%Y-%m-%d %H:%M:%S} UTC, sha256 {newest.digest()}")
