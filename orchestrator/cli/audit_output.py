"""How `podium audit log` writes records down: each format takes them one by one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal, TextIO

from rich.table import Table
from rich.text import Text

from contracts.ledger import AuditRecord, CallRecord
from orchestrator.auditing.parquet import parquet
from orchestrator.auditing.rows import COLUMNS, csv_row, row
from orchestrator.cli.shared import out
from orchestrator.recording_file import drafting
from orchestrator.text import line

Format = Literal["table", "json", "jsonl", "csv", "parquet"]
Take = Callable[[AuditRecord], object]

WIDE = 120
"""Columns from which on digests, days and steps are shown; `--json` has them in full always."""
AT_ONCE = 500
"""Rows of a table that are laid out together."""
LEAST = {"caller": 12, "call": 24, "took": 8, "outcome": 10}
"""How wide columns are at least, so that rows that are laid out apart stand below each other."""
SHARE = {"outcome": 3, "step": 1}
"""How the columns that say most share what the others leave of the terminal."""
OUTCOMES = {
    "ok": "green",
    "failed": "red",
    "denied": "red",
    "open": "yellow",
    "pruned": "dim",
    "opened": "yellow",
    "reject": "red",
}


@contextmanager
def to_file(file: Path, how: Format, *, force: bool) -> Generator[Take]:
    """Takes records for `file`, which is there once all are; only its owner may read it.

    Raises:
        FileExistsError, OSError: as `drafting`.
        NoParquet: that is asked for, and cannot be written here.
    """
    with ExitStack() as opened:
        draft = opened.enter_context(drafting(file, force=force))
        if how == "parquet":
            rows = opened.enter_context(parquet(draft))
            yield lambda record: rows.add(row(record))
        else:
            text = opened.enter_context(open(draft.fileno(), "w", encoding="utf-8", closefd=False))
            with _lines(how, text, live=False) as take:
                yield take


@contextmanager
def to_stdout(how: Format, *, live: bool) -> Generator[Take]:
    """Takes records for standard output; `live`: each is out at once."""
    with _table(1 if live else AT_ONCE) if how == "table" else _lines(how, sys.stdout, live=live) as take:
        yield take


@contextmanager
def _lines(how: Format, file: TextIO, *, live: bool) -> Generator[Take]:
    array, empty = how == "json" and not live, True

    def take(record: AuditRecord) -> None:
        nonlocal empty
        said = csv_row(row(record).values()) if how == "csv" else record.model_dump_json()
        file.write(f"{'[' if empty else ','}\n{said}" if array else f"{said}\n")
        empty = False
        if live:
            file.flush()

    if how == "csv":
        file.write(f"{csv_row(COLUMNS)}\n")
    yield take
    if array:
        file.write("[]\n" if empty else "\n]\n")


@contextmanager
def _table(at_once: int) -> Generator[Take]:
    held: list[AuditRecord] = []
    head = True

    def flush() -> None:
        nonlocal head
        if held or head:
            out().print(_drawn(held, head=head))
            sys.stdout.flush()
        head = False
        held.clear()

    def take(record: AuditRecord) -> None:
        held.append(record)
        if len(held) >= at_once:
            flush()

    yield take
    if held or head:
        flush()


def _drawn(records: Sequence[AuditRecord], *, head: bool) -> Table:
    wide = out().width >= WIDE
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, show_header=head, expand=True)
    for name in (
        "time",
        "caller",
        "call",
        "took",
        "outcome",
        *(("call id", "params", "result", "step") if wide else ()),
    ):
        justify = "right" if name == "took" else "left"
        table.add_column(name, no_wrap=True, justify=justify, min_width=LEAST.get(name), ratio=SHARE.get(name))
    for each in records:
        at = f"{each.at.astimezone():{'%m-%d %H:%M:%S' if wide else '%H:%M:%S'}}"
        table.add_row(Text(at), *(_call(each, wide) if isinstance(each, CallRecord) else _note(each, wide)))
    return table


def _call(each: CallRecord, wide: bool) -> list[Text]:
    why = "" if each.failure is None else f": {each.failure.message}"
    told = each.outcome + why if each.sealed else f"not signed by its caller; {each.outcome}{why}"
    digests = ((said or "")[:8] for said in (each.call_id, each.params_sha256, each.result_sha256))
    return [
        Text(each.caller + (f" for {line(each.subject, 40)}" if each.subject else "")),
        Text(f"{each.server}.{each.tool}"),
        Text("" if each.duration_ms is None else f"{each.duration_ms:,.0f} ms"),
        Text(line(told, 60), OUTCOMES[each.outcome] if each.sealed else "red"),
        *(Text(said, "dim") for said in (*digests, line(each.step, 40)) if wide),
    ]


def _note(each: AuditRecord, wide: bool) -> list[Text]:
    assert not isinstance(each, CallRecord)
    about = f"{each.kind} {each.server or each.run}" + (f" {each.what}" if each.kind == "gate" else "")
    held = each.what if each.kind in ("grant", "pin") else ""
    told = ": ".join(said for said in (each.outcome, held, each.why) if said)
    digests = [Text(), Text(each.body_sha256[:8], "dim"), Text(), Text()] if wide else []
    return [
        Text(each.caller),
        Text(line(about, 30)),
        Text(),
        Text(line(told, 60), OUTCOMES.get(each.outcome, "")),
        *digests,
    ]
