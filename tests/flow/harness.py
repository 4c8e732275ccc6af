"""Loads as a test needs them: files in a folder, a configuration beside them, and what the warehouse holds after."""

import gzip
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from cli.running import environment

from loader.config import Config, DuckDB, load_config
from loader.core.results import LoadResult, Window
from loader.load import load
from loader.storage import connect

LAYOUT = "{yyyy}-{mm}-{dd}/{hh}/"
HOUR = "2026-01-01/05/"
HOUR_AT = datetime(2026, 1, 1, 5, tzinfo=UTC)
_OURS = {"loaded_at", "load_id"}
_PATIENCE_SECONDS = 300.0  # with a command that hangs; the machine may be busy
_open: dict[str, Any] = {}  # path of a warehouse → the connection that reads it
_HEARD = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


class Silent:
    """A progress that tells nobody; `notes` keeps what was said."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def step(self, name: str, *, total: int | None, unit: str) -> None:
        """Say nothing."""

    def advance(self, amount: int, *, events: int = 0) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Keep it."""
        self.notes.append(text)


def project(folder: Path, *, source: str = "", load: str = "workers = 1") -> Config:
    """Return the configuration of a project in `folder` with one source `web`; more settings as TOML text."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "events").mkdir(exist_ok=True)
    path = folder / "loader.toml"
    path.write_text(
        f'[load]\nlock_wait = "20s"\n{load}\n[sources.web]\nurl = "events"\nlayout = "{LAYOUT}"\n{source}\n'
    )
    return load_config(path)


def put(config: Config, name: str, content: bytes, *, packed: bool = True) -> Path:
    """Write a file of the source into its first hour, gzipped unless told otherwise."""
    path = Path(config.sources["web"].url) / (name if "/" in name else HOUR + name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, 1, mtime=0) if packed else content)
    return path


def run(config: Config, *, window: Window | None = None, replay: bool = False) -> list[LoadResult]:
    """Load the source `web`."""
    return load(config, "web", window=window or Window(), replay=replay, progress=Silent())


@contextmanager
def opened(config: Config) -> Any:
    """Yield a connection that reads the warehouse: that of a block around this one, since to open takes 40 ms."""
    path = database(config)
    if path in _open:
        yield _open[path]
        return
    connection = duckdb.connect(path, read_only=True)
    _open[path] = connection
    try:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection
    finally:
        del _open[path]
        connection.close()


def query(config: Config, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """Return the rows of a query on the warehouse."""
    with opened(config) as connection:
        found: list[tuple[Any, ...]] = connection.execute(sql, list(values)).fetchall()
        return found


def database(config: Config) -> str:
    """Return the path of the DuckDB file."""
    assert isinstance(config.warehouse, DuckDB)
    return config.warehouse.path


def columns(config: Config, schema: str = "web") -> dict[str, dict[str, str]]:
    """Return the columns and SQL types of every table of a schema."""
    found: dict[str, dict[str, str]] = {}
    sql = "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE schema_name = ? AND NOT internal"
    for table, column, kind in query(config, sql, [schema]):
        found.setdefault(table, {})[column] = kind
    return found


def rows(config: Config, table: str, *, ours: bool = False) -> list[dict[str, Any]]:
    """Return the rows of a table of the schema `web`; json columns as the values they hold."""
    with opened(config) as connection:
        cursor = connection.execute(f'SELECT * FROM web."{table}" ORDER BY id, received_at')
        names = [each[0] for each in cursor.description]
        kinds = [str(each[1]) for each in cursor.description]
        return [
            {
                name: json.loads(value) if kind == "JSON" and value is not None else value
                for name, kind, value in zip(names, kinds, row, strict=True)
                if ours or name not in _OURS
            }
            for row in cursor.fetchall()
        ]


def tables(config: Config) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of every table of the schema `web`."""
    with opened(config):
        return {table: rows(config, table) for table in sorted(columns(config))}


def lines(*events: Mapping[str, object] | bytes | str) -> bytes:
    """Return events as lines; bytes and strings as they are."""
    made = (
        each if isinstance(each, bytes) else (each if isinstance(each, str) else json.dumps(each)).encode()
        for each in events
    )
    return b"\n".join(made) + b"\n"


def track(event: str = "Order Completed", **fields: object) -> dict[str, object]:
    """Return a track call that is right in all that is not said."""
    made = {"type": "track", "event": event, "userId": "u1", "receivedAt": "2026-01-01T05:10:00Z", **fields}
    return {"messageId": f"m-{abs(hash(json.dumps(made, sort_keys=True)))}", **made}


def start(config: Config, line: str = "load", **how: Any) -> subprocess.Popen[str]:
    """Start the real command on a project, in a process group of its own; `how` goes to Popen."""
    return subprocess.Popen(
        [sys.executable, "-m", "loader", *line.split()],
        **{"cwd": config.base, "env": environment(), "start_new_session": True, "text": True, **_HEARD, **how},
    )


def command(config: Config, line: str = "load", *, code: int | None = None, **how: Any) -> str:
    """Run the real command; return what it said, where it went wrong. It must never show a traceback."""
    process = start(config, line, **how)
    output, said = process.communicate(timeout=_PATIENCE_SECONDS)
    assert "Traceback" not in said
    assert "unexpected" not in said, said
    assert code is None or process.returncode == code, (process.returncode, output, said)
    return output + said if process.returncode else said


def fingerprints(config: Config, *, without: Collection[str] = ("loaded_at",)) -> dict[str, tuple[object, ...]]:
    """Return each table's columns with their types, its number of rows and a sum of their hashes."""
    found: dict[str, tuple[object, ...]] = {}
    with opened(config):
        for table, kinds in columns(config).items():
            names = sorted(kinds.keys() - set(without))
            listed = ", ".join(f'"{name}"' for name in names)
            [counted] = query(config, f'SELECT count(*), sum(hash({listed})) FROM web."{table}"')
            found[table] = (*((name, kinds[name]) for name in names), *counted)
    return found


def rejects(config: Config) -> Counter[tuple[Any, ...]]:
    """Return the values that no column could hold: table, row, column, value, reason, file and line."""
    listed = "table_name, row_id, column_name, value, reason, file, line"
    return Counter(query(config, f"SELECT {listed} FROM loader.rejects WHERE resolved_at IS NULL"))


def quarantine(config: Config) -> Counter[tuple[Any, ...]]:
    """Return what could not be read: file, line, element of an envelope, and reason."""
    return Counter(query(config, "SELECT file, line, element, reason FROM loader.quarantine WHERE resolved_at IS NULL"))


def file_states(config: Config) -> set[tuple[str, str, str | None]]:
    """Return name, state and reason of the files of all loads."""
    found = query(config, "SELECT key, state, reason FROM loader.files")
    return {(key.rpartition("/")[2], state, reason) for key, state, reason in found}


def sums(config: Config) -> dict[str, int]:
    """Return the ledger's sums over all finished loads."""
    names = ("lines", "events", "rows", "duplicates", "filtered", "quarantined", "rejects")
    [found] = query(
        config, f"SELECT {', '.join(f'sum({name})' for name in names)} FROM loader.loads WHERE state = 'done'"
    )
    return dict(zip(names, map(int, found), strict=True))


def assert_settled(config: Config) -> None:
    """Assert that nothing is left of the work: no open load, no lease, no staged object, no event unaccounted for."""
    with opened(config):
        assert query(config, "SELECT load_id, state FROM loader.loads WHERE state <> 'done'") == []
        assert query(config, "SELECT * FROM loader.leases") == []
        assert query(config, "SELECT * FROM loader.conservation WHERE unaccounted <> 0") == []
        assert query(config, "SELECT load_id FROM loader.loads WHERE NOT conserved") == []
    assert [
        each.key for each in connect(config.staging.url, access=config.staging.access, base=config.base).list()
    ] == []


def change(config: Config, sql: str, values: Sequence[object] = ()) -> None:
    """Run a statement on the warehouse, as a person might."""
    connection = duckdb.connect(database(config))
    try:
        connection.execute(sql, list(values))
    finally:
        connection.close()
