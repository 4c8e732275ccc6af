"""Who takes part: the command that each runs, and how the rows it loaded are counted.

All read the same files, write one DuckDB file into a folder of their own, and start as a command does.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
from corpus import Corpus

PEERS = Path(__file__).parent / "peers"
DATABASE = "warehouse.duckdb"
SCHEMA = "web"
CALL_TABLES = ("identifies", "pages", "screens", "groups", "aliases")
NOT_EVENTS = (*CALL_TABLES, "tracks", "users", "accounts")
TABLES = """
SELECT table_name FROM duckdb_tables() WHERE schema_name = ? AND NOT starts_with(table_name, '_dlt')
EXCEPT SELECT table_name FROM duckdb_columns() WHERE column_name = '_dlt_parent_id'
"""
SETTINGS = """\
[warehouse]
path = "{database}"

[staging]
url = "{staging}"

[load]
workers = {workers}

[sources.web]
url = "{events}"
schema = "web"
layout = "{{yyyy}}-{{mm}}-{{dd}}/{{hh}}/"
"""
Counts = dict[str, int]  # rows by table


@dataclass(frozen=True, slots=True)
class Contestant:
    """One way to load a corpus."""

    name: str  # for --only
    label: str
    command: Callable[[Path, Path], Sequence[str]]  # the folder of events and that of the run, which it may prepare
    rows: Callable[[Counts], int]
    expected_rows: Callable[[Corpus], int]


def contestants(workers: int) -> tuple[Contestant, ...]:
    """Return everyone who can take part, in the order of the table; ours with `workers` comes first."""
    return (
        ours(workers),
        *((ours(1),) if workers != 1 else ()),
        _dlt("dlt", "dlt, Parquet", "parquet"),
        _dlt("dlt-tuned", "dlt, Parquet, tuned, 2 processes", "tuned"),
        _dlt("dlt-inserts", "dlt, nothing set", "inserts"),
        Contestant("duckdb", "DuckDB, one raw table", _duckdb_raw, _raw_rows, _lines),
    )


def ours(workers: int) -> Contestant:
    """Return this loader with a number of worker processes."""

    def command(events: Path, folder: Path) -> Sequence[str]:
        places = {"database": folder / DATABASE, "staging": folder / "staging", "events": events}
        (folder / "loader.toml").write_text(SETTINGS.format(workers=workers, **places), encoding="utf-8")
        return [*loader(), "--config", str(folder / "loader.toml"), "load"]

    label = f"loader, {workers} worker{'s' * (workers != 1)}"
    return Contestant(f"loader-{workers}", label, command, _loader_rows, _unique_ids)


def loader() -> Sequence[str]:
    """Return the command of this loader, without arguments."""
    return (sys.executable, "-m", "loader")


def counts(folder: Path) -> Counts:
    """Return how many rows each table of a run has; dlt's tables of nested lists and of its state are left out."""
    with duckdb.connect(folder / DATABASE, read_only=True) as connection:
        tables = connection.execute(TABLES, [SCHEMA]).fetchall()
        return {table: _rows(connection, f'"{SCHEMA}"."{table}"') for (table,) in tables}


def _rows(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0]
    return int(rows)


def _dlt(name: str, label: str, way: str) -> Contestant:
    def command(events: Path, folder: Path) -> Sequence[str]:
        return [sys.executable, str(PEERS / "dlt_run.py"), str(events), str(folder / DATABASE), way]

    return Contestant(name, label, command, _all_rows, _lines)


def _duckdb_raw(events: Path, folder: Path) -> Sequence[str]:
    return [sys.executable, str(PEERS / "duckdb_raw.py"), str(events), str(folder / DATABASE), "2"]


def _loader_rows(found: Counts) -> int:
    """Return the events that are in every table they belong to: a track event is in two."""
    by_event = sum(rows for table, rows in found.items() if table not in NOT_EVENTS)
    return min(by_event, found.get("tracks", 0)) + sum(found.get(table, 0) for table in CALL_TABLES)


def _all_rows(found: Counts) -> int:
    return sum(found.values())


def _raw_rows(found: Counts) -> int:
    return found.get("raw", 0)


def _lines(made: Corpus) -> int:
    return made.lines


def _unique_ids(made: Corpus) -> int:
    return made.unique_ids
