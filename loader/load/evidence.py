"""Why a load changes a schema: the first file and line that asks for it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from loader.core.objects import load_bytes
from loader.core.places import place
from loader.core.report import ROW, Found, Part, TableReport
from loader.core.schema import Change, CreateTable, WidenColumn
from loader.core.spec import PROFILES, TRACKS
from loader.core.types import ColumnType
from loader.load.runs import Manifest, Run

_NOWHERE = Found().first
_NOTHING = TableReport("track", {})


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a load found, and its parts, which are still in staging."""

    run: Run
    manifest: Manifest
    beginnings: dict[str, int] = field(default_factory=dict)  # table → its first row, as far as asked for

    def cause(self, change: Change, column: str | None = None) -> str:
        """Return file and line of the first event that asks for a change, or for one column of a new table."""
        report = self.report(change.table)
        column = column or (None if isinstance(change, CreateTable) else change.column)
        if column is None:
            return self._spoken(self._beginning(change.table, report))
        first = report.columns.get(column, Found()).first
        if first == _NOWHERE and isinstance(change, CreateTable):  # a context column that `tracks` has already
            first = self._beginning(change.table, report)
        if first == _NOWHERE:
            first = self._first(report.parts, column, widened=isinstance(change, WidenColumn))
        return self._spoken(first)

    def report(self, table: str) -> TableReport:
        """Return what decided about a table: of `users` and `accounts` their source, of event tables outside the load
        `tracks`.
        """
        source = PROFILES[table][0] if table in PROFILES else TRACKS
        tables = self.manifest.tables
        return tables.get(table) or tables.get(source) or _NOTHING

    def _beginning(self, table: str, report: TableReport) -> int:
        if table not in self.beginnings:
            keys = (self._read(part, [ROW])[ROW] for part in report.parts)
            self.beginnings[table] = _smallest(keys)
        return self.beginnings[table]

    def _first(self, parts: Iterable[Part], column: str, *, widened: bool) -> int:
        """Return the first row with a value; where it widened the column, with a fraction if there is one."""
        if not widened:
            return _smallest(
                _with_value(self._read(each, [ROW, column]), column) for each in parts if column in each.columns
            )
        doubles = [each for each in parts if each.columns.get(column) == ColumnType.DOUBLE.value]
        tables = [self._read(each, [ROW, column]) for each in doubles]
        first = _smallest(_with_fraction(table, column) for table in tables)
        return first if first != _NOWHERE else _smallest(_with_value(table, column) for table in tables)

    def _read(self, part: Part, columns: list[str]) -> pa.Table:
        data = load_bytes(self.run.edges.staging, part.key)
        return pq.read_table(pa.BufferReader(data), columns=columns)

    def _spoken(self, key: int) -> str:
        ordinal, line, _ = place(key)
        arrivals = self.run.load.arrivals
        return f"{arrivals[ordinal].file.key}:{line}" if ordinal < len(arrivals) else ""


def _smallest(keys: Iterable[pa.ChunkedArray]) -> int:
    return min((int(np.min(np.asarray(each))) for each in keys if len(each)), default=_NOWHERE)


def _with_value(table: pa.Table, column: str) -> pa.ChunkedArray:
    return table[ROW].filter(table[column].is_valid())


def _with_fraction(table: pa.Table, column: str) -> pa.ChunkedArray:
    values = np.asarray(table[column].fill_null(0.0))
    return table[ROW].filter(pa.array(values != np.trunc(values)))
