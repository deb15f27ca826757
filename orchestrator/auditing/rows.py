"""Records as rows of a table for analysts: flat, every column of one type. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from contracts.ledger import AuditRecord, CallRecord
from orchestrator.text import safe

ColumnType = Literal["text", "time", "number", "count", "truth"]
Cell = str | datetime | float | int | bool | None

COLUMNS: dict[str, ColumnType] = {
    "record": "text",
    "kind": "text",
    "at": "time",
    "run": "text",
    "step": "text",
    "caller": "text",
    "on_behalf_of": "text",
    "server": "text",
    "tool": "text",
    "what": "text",
    "outcome": "text",
    "failure": "text",
    "why": "text",
    "duration_ms": "number",
    "request_bytes": "count",
    "result_bytes": "count",
    "call_id": "text",
    "parent": "text",
    "params_sha256": "text",
    "result_sha256": "text",
    "sealed": "truth",
}
"""The columns in their order; time is UTC, text is empty and the rest null where there is nothing."""

_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
"""How what a spreadsheet takes for a formula begins."""


def row(record: AuditRecord) -> dict[str, Cell]:
    """The record's cells, by column."""
    if isinstance(record, CallRecord):
        said: dict[str, Cell] = record.model_dump(
            include={"run", "step", "caller", "server", "tool", "parent", "call_id", "outcome", "duration_ms", "sealed"}
            | {"request_bytes", "result_bytes", "params_sha256", "result_sha256"}
        )
        said |= {"on_behalf_of": record.subject}
        if record.failure:
            said |= {"failure": record.failure.kind, "why": record.failure.message}
    else:
        said = record.model_dump(include={"run", "caller", "server", "what", "outcome", "why"})
        said |= {"params_sha256": record.body_sha256, "request_bytes": record.body_bytes, "sealed": True}
    said |= {"record": record.place, "kind": record.kind, "at": record.at}
    nothing = {name: "" if kind == "text" else None for name, kind in COLUMNS.items()}
    return {name: nothing[name] if said.get(name) is None else said[name] for name in COLUMNS}


def csv_row(cells: Iterable[Cell]) -> str:
    """One line of CSV (RFC 4180, without its line end): no cell is a formula, or commands a terminal."""
    held = io.StringIO()
    csv.writer(held, lineterminator="\n").writerow([_written(cell) for cell in cells])
    return held.getvalue().removesuffix("\n")


def _written(cell: Cell) -> str | int | float:
    match cell:
        case str():
            text = safe(cell)
            return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
        case bool():
            return "true" if cell else "false"
        case datetime():
            return cell.isoformat()
        case None:
            return ""
        case _:
            return cell
