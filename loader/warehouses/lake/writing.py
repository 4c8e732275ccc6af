"""Rows of a session → Parquet files of the lake, and what becomes of a ledger's table that two sessions replaced."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import uuid4

import duckdb

from loader.core.dialect import Dialect, literal
from loader.core.warehouse import Row
from loader.warehouses.lake.catalogue import Change, File, overtaken
from loader.warehouses.lake.files import Files, rows_of, translated

SMALL_BYTES = 32 << 20
_MOST_SMALL = 8  # files of one day of a table; with one more they become one
_DAY = "CAST(CAST(received_at AT TIME ZONE 'UTC' AS DATE) AS VARCHAR)"


class Writer:
    """Writes what a session's cursor sees. A key is never that of a live file."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, files: Files, dialect: Dialect) -> None:
        self._cursor, self._files, self._dialect = cursor, files, dialect

    def written(
        self, name: str, columns: Mapping[str, str], rows: str, *, live: frozenset[str], days: Sequence[str] = ()
    ) -> list[File]:
        """Write the rows of a relation, a file for each day where the table has days; return the files.

        A load that is tried again gives them the same names, so that nothing is left of the first try.
        """
        if not _partitioned(name, columns):
            return self._put(name, columns, [("", rows, "true")], live)
        found = days or [day for (day,) in self._asked(f"SELECT DISTINCT {_DAY} AS day FROM {rows} ORDER BY day")]
        return self._put(name, columns, [(day, rows, f"{_DAY} = {literal(self._dialect, day)}") for day in found], live)

    def appended(
        self, name: str, columns: Mapping[str, str], files: Sequence[File], place: str
    ) -> tuple[list[File], frozenset[str]]:
        """Write new rows; return their files, and the keys of the small ones that are in these now."""
        live = frozenset(file.key for file in files)
        day = _DAY if _partitioned(name, columns) else "''"
        days = [day for (day,) in self._asked(f"SELECT DISTINCT {day} AS day FROM {place} ORDER BY day")]
        sources: list[tuple[str, str, str]] = []
        removed: set[str] = set()
        for each in days:
            small = [file.key for file in files if file.day == each and file.size < SMALL_BYTES]
            chosen = f"{_DAY} = {literal(self._dialect, each)}" if each else "true"
            merged = small if len(small) >= _MOST_SMALL else []
            paths = self._files.paths(merged)
            rows = f"({rows_of(self._dialect, columns, paths, place)})" if merged else place
            sources.append((each, rows, chosen))
            removed.update(merged)
        return self._put(name, columns, sources, live), frozenset(removed)

    def reconciled(self, change: Change, theirs: Sequence[File]) -> Change:
        """Return the change of a whole ledger table as it is to be made upon what others made of the table meanwhile.

        What we removed must still be there, else WarehouseBusyError; what they added stays.
        """
        if change.columns is None or not change.name.startswith("loader."):
            raise overtaken(change.name)
        columns = change.columns
        old, new, now = (self._rows(columns, files) for files in (change.files, change.added, theirs))
        gone = f"({old} EXCEPT ALL {new})"
        if self._asked(f"SELECT 1 FROM ({gone} EXCEPT ALL ({now})) AS missed LIMIT 1"):
            raise overtaken(change.name)
        rows = f"((({now}) EXCEPT ALL {gone}) UNION ALL (({new}) EXCEPT ALL ({old})))"
        keys = frozenset(file.key for file in theirs)
        added = self.written(change.name, columns, rows, live=keys)
        return replace(change, added=added, removed=keys)

    def check_leases(self, before: Sequence[File], now: Sequence[File], asked: set[str]) -> None:
        """Raise WarehouseBusyError if a lease that the session asked for has another holder than it saw."""
        columns = {"source": "string", "token": "string"}
        sources = ", ".join(literal(self._dialect, each) for each in sorted(asked)) or "''"
        old, new = (
            f"SELECT * FROM ({self._rows(columns, files)}) WHERE source IN ({sources})" for files in (before, now)
        )
        if self._asked(f"(({old}) EXCEPT ALL ({new})) UNION ALL (({new}) EXCEPT ALL ({old})) LIMIT 1"):
            raise overtaken("a lease")

    def _rows(self, columns: Mapping[str, str], files: Sequence[File]) -> str:
        paths = self._files.paths([file.key for file in files])
        return f"({rows_of(self._dialect, columns, paths, None)})"

    def _put(
        self, name: str, columns: Mapping[str, str], sources: Sequence[tuple[str, str, str]], live: frozenset[str]
    ) -> list[File]:
        """Write each day's rows, which a condition selects of a relation."""
        files, paths = [], []
        for day, rows, chosen in sources:
            path = self._files.temporary()
            order = " ORDER BY received_at, id" if day else ""
            [(count,)] = self._asked(
                f"COPY (SELECT * FROM {rows} AS t WHERE {chosen}{order}) "
                f"TO {literal(self._dialect, str(path))} (FORMAT parquet, COMPRESSION zstd)"
            )
            if count:
                key = self._key(name, columns, rows, day, live)
                files.append(File(key, count, path.stat().st_size, day))
                paths.append((path, key))
        self._files.add(paths)
        return files

    def _key(self, name: str, columns: Mapping[str, str], rows: str, day: str, live: frozenset[str]) -> str:
        stem = uuid4().hex
        if {"load_id", "loaded_at"} <= columns.keys() and not name.startswith("loader."):
            stem = str(self._asked(f"SELECT arg_max(load_id, loaded_at) FROM {rows} AS t")[0][0])
        folder = name.replace(".", "/", 1) + (f"/day={day}" if day else "")
        key = f"{folder}/{stem}.parquet"
        return key if key not in live else f"{folder}/{stem}-{uuid4().hex[:8]}.parquet"

    def _asked(self, sql: str) -> list[Row]:
        with translated(sql.split("\n", 1)[0][:120]):
            return self._cursor.execute(sql).fetchall()


def _partitioned(name: str, columns: Mapping[str, str]) -> bool:
    return {"id", "received_at"} <= columns.keys() and not name.startswith("loader.")
