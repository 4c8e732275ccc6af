"""What a warehouse holds, said in one way for all of them, so that two can be compared value by value.

The one normalisation:
- rows in no order; `loaded_at` is left out, as it is the time of the test;
- json by value: objects without an order of keys, numbers as exact decimals (1, 1.0 and 1e0 are one value);
- times as aware UTC; doubles bit by bit; texts character by character; nulls are None.
"""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from loader.config import Config
from loader.core.dialect import quoted
from loader.core.types import ColumnType
from loader.load.edges import connected

_SPELLED = (ColumnType.JSON, ColumnType.TIMESTAMP, ColumnType.DOUBLE)  # differently by different drivers
Rows = Counter[tuple[tuple[str, Any], ...]]


def columns(config: Config, schema: str = "web") -> dict[str, dict[str, str]]:
    """Return the columns and types of every table of a schema."""
    with connected(config, read_only=True) as opened:
        found = opened.describe(schema)
    return {table: {name: each.type.value for name, each in sorted(own.items())} for table, own in found.items()}


def table(config: Config, name: str, schema: str = "web") -> list[dict[str, Any]]:
    """Return the rows of a table by id, without our own columns and without nulls."""
    with connected(config, read_only=True) as opened, opened.session() as session:
        known = opened.describe(schema)[name]
        wanted = [each for each in known if each not in ("loaded_at", "load_id")]
        listed = ", ".join(quoted(opened.dialect, each) for each in wanted)
        found = session.execute(
            f"SELECT {listed} FROM {quoted(opened.dialect, schema, name)} AS {quoted(opened.dialect, 't#')}"
        )
    kinds = [(each, known[each].type, known[each].type in _SPELLED) for each in wanted]
    rows = [
        {
            name: plain(value, kind) if spelled else value
            for (name, kind, spelled), value in zip(kinds, row, strict=True)
            if value is not None
        }
        for row in found
    ]
    return sorted(rows, key=lambda row: str(row["id"]))


def tables(config: Config, schema: str = "web") -> dict[str, Rows]:
    """Return the rows of every table, in no order."""
    return {name: _counted(table(config, name, schema)) for name in columns(config, schema)}


def rejects(config: Config) -> Rows:
    """Return the values that no column could hold, and where they came from; json text by value."""
    names = ("table_name", "row_id", "column_name", "value", "reason", "file", "line")
    return _counted([{**row, "value": _json(row["value"])} for row in _ledger(config, "rejects", names)])


def quarantine(config: Config) -> Rows:
    """Return what could not be read, and why."""
    return _counted(_ledger(config, "quarantine", ("file", "line", "element", "reason")))


def query(config: Config, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """Return the rows of a query, as the driver gives them."""
    with connected(config, read_only=True) as opened, opened.session() as session:
        return session.execute(sql, values)


def leftovers(config: Config) -> list[str]:
    """Return the staging tables that are still there."""
    with connected(config, read_only=True) as opened:
        return sorted(opened.describe(opened.dialect.staging_schema))


def plain(value: Any, kind: ColumnType) -> Any:
    """Return a value that compares equal in every warehouse."""
    match kind:
        case ColumnType.JSON:
            return _json(value)
        case ColumnType.TIMESTAMP:
            assert isinstance(value, datetime)
            return value.astimezone(UTC)
        case ColumnType.DOUBLE:
            return float(value).hex()
        case _:
            return value


def _json(text: str) -> Any:
    return _frozen(json.loads(text, parse_int=Decimal, parse_float=Decimal))


def _frozen(value: Any) -> Any:
    match value:
        case dict():
            return ("object", frozenset((key, _frozen(each)) for key, each in value.items()))
        case list():
            return ("array", tuple(map(_frozen, value)))
        case bool():
            return ("boolean", value)
        case int() | float():
            return Decimal(str(value))
        case _:
            return value


def _ledger(config: Config, name: str, names: Sequence[str]) -> list[dict[str, Any]]:
    found = query(config, f"SELECT {', '.join(names)} FROM loader.{name} AS t WHERE resolved_at IS NULL")
    return [dict(zip(names, row, strict=True)) for row in found]


def _counted(rows: Sequence[dict[str, Any]]) -> Rows:
    return Counter(tuple(sorted(row.items())) for row in rows)
