"""Rows → the bytes of a file: CSV, JSON lines or Parquet; and CSV → rows.

The columns are the rows' names, in the order they appear. The same rows give the same bytes.
"""

import csv
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

Rows = Sequence[Mapping[str, Any]]
# What a spreadsheet would run (owasp.org/www-community/attacks/CSV_Injection, read 2026-11).
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def csv_bytes(rows: Rows, *, delimiter: str, guard_formulas: bool) -> bytes:
    """Return CSV with a heading, every cell quoted; null is empty, true is `true`, arrays and objects are JSON.

    With `guard_formulas` a text that a spreadsheet would run begins with `'`.
    """
    lines: list[str] = []
    names = _names(rows)
    writer = csv.writer(SimpleNamespace(write=lines.append), delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerow(names)
    writer.writerows([text_cell(row.get(name), guard=guard_formulas) for name in names] for row in rows)
    return "".join(lines).encode("utf-8", "replace")


def csv_rows(data: bytes) -> list[dict[str, str]]:
    """Return the rows of CSV in UTF-8 by the names of its heading; an empty cell is an empty text."""
    lines = (f"{line}\n" for line in data.decode().split("\n"))  # no other end of a line ends a row
    return list(csv.DictReader(lines))


def jsonl_bytes(rows: Rows) -> bytes:
    """Return one JSON object per line."""
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def parquet_bytes(rows: Rows) -> bytes:
    """Return Parquet. A column of values of one kind has its type; any other is text, arrays and objects JSON."""
    table = pa.table({name: _column([row.get(name) for row in rows]) for name in _names(rows)})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def text_cell(value: Any, *, guard: bool = False) -> Any:
    """Return a value as a cell of text: null is empty, true is `true`, arrays and objects are JSON."""
    match value:
        case None:
            return ""
        case bool() | list() | dict():
            return msgspec.json.encode(value).decode()
    return f"'{value}" if guard and isinstance(value, str) and value.startswith(_FORMULAS) else value


def _names(rows: Rows) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _column(values: list[Any]) -> Any:
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) == 1 and kinds <= {str, float, bool}:
        return pa.array(values)
    if kinds == {int} and all(value is None or -(2**63) <= value < 2**63 for value in values):
        return pa.array(values, pa.int64())
    return pa.array([None if value is None else str(text_cell(value)) for value in values], pa.string())
