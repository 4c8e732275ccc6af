"""Projects on a BigQuery that the tests serve, and what their tables hold, to be compared with DuckDB's."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flow import harness

from loader.config import Config, load_config
from loader.core.dialect import quoted
from loader.core.types import ColumnType
from loader.load.edges import connected

_OURS = {"loaded_at"}
Contents = dict[str, dict[str, Any]]  # table → columns with their types, and rows


def project(
    folder: Path, *, endpoint: str, events: Path | None = None, load: str = "workers = 1", source: str = ""
) -> Config:
    """Return the configuration of a project with one source `web`, whose tables are on the server at `endpoint`."""
    folder.mkdir(parents=True, exist_ok=True)
    (events or folder / "events").mkdir(exist_ok=True)
    path = folder / "loader.toml"
    path.write_text(
        f'[warehouse]\nkind = "bigquery"\nproject = "proj"\nendpoint = "{endpoint}"\n'
        f'[load]\nlock_wait = "20s"\nlease_ttl = "60s"\n{load}\n'
        f'[sources.web]\nurl = "{events or "events"}"\nlayout = "{harness.LAYOUT}"\n{source}\n'
    )
    return load_config(path)


def query(config: Config, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query on the warehouse, whichever it is."""
    with connected(config, read_only=True) as opened, opened.session() as session:
        return session.execute(sql)


def contents(config: Config, schema: str = "web") -> Contents:
    """Return what every table of a schema holds: its columns, and its rows by id.

    json is compared as a value: keys have no order, and of numbers beyond 64 bits what a double keeps.
    """
    found: Contents = {}
    with connected(config, read_only=True) as opened:
        for table, columns in sorted(opened.describe(schema).items()):
            names = sorted(set(columns) - _OURS)
            listed = ", ".join(quoted(opened.dialect, name) for name in names)
            with opened.session() as session:
                rows = session.execute(f"SELECT {listed} FROM {quoted(opened.dialect, schema, table)}")
            kinds = {name: columns[name].type for name in names}
            made = [_row(dict(zip(names, row, strict=True)), kinds) for row in rows]
            found[table] = {
                "columns": {name: kind.value for name, kind in kinds.items()},
                "rows": sorted(made, key=lambda row: (str(row.get("id")), json.dumps(row, default=str))),
            }
    return found


def notes(config: Config) -> tuple[list[tuple[Any, ...]], ...]:
    """Return rejects, quarantine and sums."""
    columns = "table_name, row_id, column_name, value, reason, file, line"
    rejects = f"SELECT {columns} FROM loader.rejects WHERE resolved_at IS NULL"
    quarantine = "SELECT file, line, element, reason FROM loader.quarantine WHERE resolved_at IS NULL"
    sums = "SELECT sum(events), sum(duplicates), sum(filtered), sum(quarantined), sum(rejects) FROM loader.loads"
    return tuple(sorted(query(config, sql), key=repr) for sql in (rejects, quarantine, sums))


def _row(row: Mapping[str, Any], kinds: Mapping[str, ColumnType]) -> dict[str, Any]:
    return {
        name: _json(value) if kinds[name] is ColumnType.JSON and value is not None else value
        for name, value in row.items()
    }


def _json(value: Any) -> Any:
    return json.loads(value, parse_int=lambda digits: int(digits) if -(2**63) <= int(digits) < 2**64 else float(digits))
