"""Rows for analysts: typed, and harmless in a spreadsheet or on a terminal."""

from __future__ import annotations

import csv
import io
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.base import sha256
from contracts.failure import Failure
from contracts.ledger import CallRecord, Note
from contracts.trace import trace_of_run
from orchestrator.auditing import parquet
from orchestrator.auditing.parquet import NoParquet
from orchestrator.auditing.rows import COLUMNS, csv_row, row
from orchestrator.auditing.sketch import ERROR, Sketch
from orchestrator.cli.audit_output import to_file, to_stdout

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
CALL = CallRecord(
    call_id="c1",
    trace_id=trace_of_run("r-aaaa"),
    run="r-aaaa",
    caller="host_desk",
    server="echo",
    tool="=HYPERLINK(A1)",
    called_at=AT,
    params_sha256=sha256(b""),
    request_bytes=7,
    seq=3,
    outcome="failed",
    result_sha256=sha256(b"1"),
    result_bytes=9,
    duration_ms=1.5,
    failure=Failure(kind="timeout", message="too late\x1b[2J"),
)
NOTE = Note(
    kind="gate",
    at=AT,
    run="r-aaaa",
    caller="person",
    what="plan",
    outcome="approve",
    body_sha256="0" * 64,
    body_bytes=5,
    seq=4,
)


@pytest.mark.parametrize(("width", "digest"), [("80", False), ("130", True)])
def test_a_terminal_cuts_off_reasons_and_no_times_names_or_digests(
    width: str, digest: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """However much the longest of them has to say."""
    monkeypatch.setenv("COLUMNS", width)
    failure = Failure(kind="timeout", message="too late " * 20)
    with to_stdout("table", live=False) as take:
        take(CALL.model_copy(update={"failure": failure, "step": "a/very/long/path/" * 4}))
        take(NOTE)
    _, call, note = capsys.readouterr().out.splitlines()
    assert f"{AT.astimezone():%H:%M:%S}  host_desk     echo.=HYPERLINK(A1)" in call
    assert "gate r-aaaa plan" in note
    assert (f"  {CALL.result_sha256 or '':.8}  " in call) == digest


BEGUN = st.sampled_from(["", "=", "+", "-", "@", "＝", " =", "\t=", "\n-", "\r@"])


@given(st.lists(st.builds(str.__add__, BEGUN, st.text()), min_size=1, max_size=4))
def test_no_cell_is_a_formula_or_holds_a_control_character(cells: list[str]) -> None:
    """Whatever a tool's name or an error message is, and one row stays one row."""
    (read,) = csv.reader(io.StringIO(csv_row(cells)), strict=True)
    assert len(read) == len(cells)
    for cell in read:
        assert not cell.lstrip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))
        assert all(char in "\n\t" or char.isprintable() for char in cell)


@given(st.text(st.sampled_from("abc ,;\"'\n0.:"), min_size=1))
def test_what_is_harmless_comes_back_as_it_was(text: str) -> None:
    """Quotes and commas included."""
    assert next(csv.reader(io.StringIO(csv_row([text, "x"]), newline=""))) == [text, "x"]


@given(st.lists(st.floats(0.01, 1e9), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 1.0]))
def test_a_quantile_is_off_by_no_more_than_is_said(values: list[float], q: float) -> None:
    """Compared with the value that has that place."""
    sketch = Sketch()
    for value in values:
        sketch.add(value)
    exact = sorted(values)[max(0, -int(-q * len(values) // 1) - 1)]
    found = sketch.quantile(q)
    assert found is not None
    assert abs(found - exact) <= exact * ERROR * 1.0001
    assert (sketch.count, sketch.max) == (len(values), max(values))


def test_nothing_has_no_quantile_and_no_time_has_one() -> None:
    """A duration that the clock took back counts as the least."""
    sketch = Sketch()
    assert sketch.quantile(0.5) is None
    sketch.add(-5.0)
    assert sketch.quantile(0.5) == 0.0


def test_parquet_has_a_type_for_each_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Times are UTC, sizes integers, milliseconds doubles; what is not there is null; in groups of rows."""
    monkeypatch.setattr(parquet, "ROW_GROUP", 2)
    file = tmp_path / "calls.parquet"
    with to_file(file, "parquet", force=False) as take:
        for record in (CALL, NOTE, CALL):
            take(record)
    files: Any = import_module("pyarrow.parquet")
    found = files.ParquetFile(file)
    assert found.num_row_groups == 2
    types = {field.name: str(field.type) for field in found.schema_arrow}
    kinds = {"text": "string", "time": "timestamp[us, tz=UTC]", "number": "double", "count": "int64", "truth": "bool"}
    assert types == {name: kinds[kind] for name, kind in COLUMNS.items()}
    assert found.read().to_pylist() == [row(CALL), row(NOTE), row(CALL)]
    assert (row(CALL)["at"], row(CALL)["tool"], row(NOTE)["duration_ms"]) == (AT, "=HYPERLINK(A1)", None)
    assert file.stat().st_mode & 0o777 == 0o600


def test_without_pyarrow_the_way_out_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no file is left."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with (
        pytest.raises(NoParquet, match=r"pip install 'podium\[parquet\]'"),
        to_file(tmp_path / "x", "parquet", force=False),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
