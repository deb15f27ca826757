"""Rows as a Parquet file, written a row group at a time."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, BinaryIO

from orchestrator.auditing.rows import COLUMNS, Cell
from orchestrator.errors import OrchestratorError

ROW_GROUP = 20_000
"""Rows that are held until they are written."""


class NoParquet(OrchestratorError):
    """There is nothing here that writes Parquet."""

    def __init__(self) -> None:
        super().__init__(
            "Parquet needs pyarrow, which is not installed; `pip install 'podium[parquet]'`, or take --format csv"
        )


class Rows:
    """Takes rows."""

    def __init__(self, arrow: Any, writer: Any, schema: Any) -> None:
        self._arrow = arrow
        self._writer = writer
        self._schema = schema
        self._held: list[dict[str, Cell]] = []

    def add(self, cells: dict[str, Cell]) -> None:
        """Write it with those that come next."""
        self._held.append(cells)
        if len(self._held) >= ROW_GROUP:
            self.flush()

    def flush(self) -> None:
        """Write what is held as a row group."""
        if self._held:
            self._writer.write_table(self._arrow.Table.from_pylist(self._held, schema=self._schema))
            self._held.clear()


@contextmanager
def parquet(file: BinaryIO) -> Generator[Rows]:
    """Takes rows for `file`, whose columns are `COLUMNS`: UTC timestamps in µs, ms as doubles, bytes as integers.

    Raises:
        NoParquet: pyarrow is not installed.
    """
    try:
        arrow: Any = import_module("pyarrow")  # an extra; and it has no types
        files: Any = import_module("pyarrow.parquet")
    except ImportError:
        raise NoParquet from None
    types: dict[str, Any] = {
        "text": arrow.string(),
        "time": arrow.timestamp("us", tz="UTC"),
        "number": arrow.float64(),
        "count": arrow.int64(),
        "truth": arrow.bool_(),
    }
    schema: Any = arrow.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    with files.ParquetWriter(file, schema, compression="zstd") as writer:
        rows = Rows(arrow, writer, schema)
        yield rows
        rows.flush()
