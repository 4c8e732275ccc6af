"""Loads and their files: claimed, moved from state to state, finished, abandoned."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from loader.core.bounds import EPOCH
from loader.core.cost import Cost
from loader.core.dialect import among, quoted
from loader.core.objects import File
from loader.core.plan import Arrival, PlannedLoad
from loader.core.report import BadFile, Counts
from loader.core.results import State, TableResult
from loader.core.types import ColumnType
from loader.core.warehouse import Row, Session

CLAIMED, LOADED, QUARANTINED, RELEASED = "claimed", "loaded", "quarantined", "released"
_MICROSECOND = timedelta(microseconds=1)
_MAX_VALUES = 1000  # of one statement

_FILE_COLUMNS = (
    *("load_id", "source", "ordinal", "key", "version", "size", "modified_at", "partition_at", "state", "changed_at"),
)


class OpenLoad(NamedTuple):
    """A load that is not done."""

    load_id: str
    state: str
    kind: str
    created_at: datetime


def open_loads(session: Session, source: str) -> list[OpenLoad]:
    """Return the source's loads that are neither done nor abandoned, oldest first."""
    rows = session.execute(
        "SELECT load_id, state, kind, created_at FROM loader.loads "
        "WHERE source = ? AND state NOT IN ('done', 'abandoned') ORDER BY created_at, load_id",
        [source],
    )
    return [OpenLoad(*row) for row in rows]


def known_files(session: Session, source: str, start: datetime | None) -> set[tuple[str, str, int]]:
    """Return key, version and size of the files that some load has claimed or ended, from a partition on."""
    since = "" if start is None else " AND partition_at >= ?"
    rows = session.execute(
        f"SELECT key, version, size FROM loader.files WHERE source = ? AND state <> '{RELEASED}'{since}",
        [source] if start is None else [source, start],
    )
    return {(key, version, size) for key, version, size in rows}


def attempts(session: Session, source: str, keys: Sequence[str]) -> int:
    """Return how many loads have had any of the files: the number of a replay."""
    found: set[Row] = set()
    for some in shares(keys):
        query = f"SELECT DISTINCT load_id FROM loader.files WHERE source = ? AND key IN {among(len(some))}"
        found.update(session.execute(query, [source, *some]))
    return len(found)


def newest_partition(session: Session, source: str, now: datetime) -> datetime | None:
    """Return the start of the newest partition until now of which a file was loaded.

    A file in the folder of a day to come, by a clock that was wrong, must not hide all that arrives before that day.
    """
    found: datetime | None = session.execute(
        "SELECT max(partition_at) FROM loader.files WHERE source = ? AND state = 'loaded' AND partition_at <= ?",
        [source, now],
    )[0][0]
    return found


def finished(session: Session, source: str, load_ids: Sequence[str]) -> dict[str, datetime]:
    """Return when each of some loads was done; the others are left out."""
    found: dict[str, datetime] = {}
    for some in shares(load_ids):
        rows = session.execute(
            "SELECT load_id, finished_at FROM loader.loads "
            f"WHERE source = ? AND state = 'done' AND load_id IN {among(len(some))}",
            [source, *some],
        )
        found |= dict(rows)
    return found


def claim(session: Session, source: str, load: PlannedLoad, *, kind: str, now: datetime) -> None:
    """Write a load and its files, in state planned: no other load takes them."""
    at = [moment(each.partition_at) for each in load.arrivals]
    session.execute(
        "INSERT INTO loader.loads (load_id, source, state, kind, files, stored_bytes, partition_from, partition_to, "
        "created_at, updated_at) VALUES (?, ?, 'planned', ?, ?, ?, ?, ?, ?, ?)",
        [load.load_id, source, kind, len(load.arrivals), load.stored_bytes, min(at), max(at), now, now],
    )
    rows: list[Row] = []
    for ordinal, (each, start) in enumerate(zip(load.arrivals, at, strict=True)):
        file = each.file
        rows.append(
            (load.load_id, source, ordinal, file.key, file.version, file.size, file.modified_at, start, CLAIMED, now)
        )
    session.append("loader.files", _FILE_COLUMNS, rows)


def claimed(session: Session, load_id: str) -> PlannedLoad:
    """Return a load's files as they were claimed, in order."""
    rows = session.execute(
        "SELECT key, version, size, modified_at, partition_at FROM loader.files WHERE load_id = ? ORDER BY ordinal",
        [load_id],
    )
    arrivals = [Arrival(File(key, version, size, at), microseconds(start)) for key, version, size, at, start in rows]
    return PlannedLoad(load_id, tuple(arrivals))


def claimed_file(session: Session, load_id: str, key: str) -> File | None:
    """Return a file as a load claimed it, or None if it has none of that key."""
    rows = session.execute(
        "SELECT key, version, size, modified_at FROM loader.files WHERE load_id = ? AND key = ?", [load_id, key]
    )
    return File(*rows[0]) if rows else None


def move(session: Session, load_id: str, state: str, *, error: str | None = None) -> None:
    """Put a load into a state."""
    session.execute(
        "UPDATE loader.loads SET state = ?, error = ?, updated_at = ? WHERE load_id = ?",
        [state, error, datetime.now(UTC), load_id],
    )


def note_error(session: Session, load_id: str, error: str) -> State:
    """Write why a load came no further; return the state that it is in."""
    session.execute(
        "UPDATE loader.loads SET error = ?, updated_at = ? WHERE load_id = ?", [error, datetime.now(UTC), load_id]
    )
    found: State = session.execute("SELECT state FROM loader.loads WHERE load_id = ?", [load_id])[0][0]
    return found


def state_of(session: Session, load_id: str) -> str | None:
    """Return a load's state, or None if there is none of that name."""
    found = session.execute("SELECT state FROM loader.loads WHERE load_id = ?", [load_id])
    return str(found[0][0]) if found else None


def conserved(session: Session, load_id: str) -> bool:
    """Return whether every event of a load that is done is accounted for."""
    return bool(session.execute("SELECT conserved FROM loader.loads WHERE load_id = ?", [load_id])[0][0])


def finish(session: Session, load_id: str, counts: Counts, *, rejects: int, primary: tuple[int, int]) -> bool:
    """Put a load into state done with its sums; return whether every event is accounted for.

    `primary`: rows and duplicates as the warehouse counted them, over the tables that hold each event once.
    """
    rows, duplicates = primary
    whole = counts.events == rows + duplicates + counts.filtered + counts.quarantined
    now = datetime.now(UTC)
    session.execute(
        "UPDATE loader.loads SET state = 'done', error = NULL, lines = ?, events = ?, "
        f"{quoted(session.dialect, 'rows')} = ?, duplicates = ?, filtered = ?, quarantined = ?, rejects = ?, "
        "discarded_values = ?, conserved = ?, updated_at = ?, finished_at = ? WHERE load_id = ?",
        [
            *(counts.lines, counts.events, rows, duplicates, counts.filtered, counts.quarantined),
            *(rejects, counts.discarded_values, whole, now, now, load_id),
        ],
    )
    return whole


def settle_files(session: Session, load_id: str, counts: Mapping[int, Counts], bad: Sequence[BadFile]) -> None:
    """Write what became of each file: loaded, quarantined whole, or released to be loaded as it is now."""
    _rewritten(session, load_id, counts, bad, otherwise=LOADED)


def note_counts(session: Session, load_id: str, counts: Mapping[int, Counts], bad: Sequence[BadFile]) -> None:
    """Write what each file held, and which could not be read. Twice writes the same."""
    _rewritten(session, load_id, counts, bad, otherwise=CLAIMED)


def _rewritten(
    session: Session, load_id: str, counts: Mapping[int, Counts], bad: Sequence[BadFile], *, otherwise: str
) -> None:
    """Write the load's files anew: warehouses of columns replace rows faster than they update them one by one."""
    now, spoilt = datetime.now(UTC), {each.file: each.reason for each in bad}
    rows: list[Row] = []
    kept = ", ".join(_FILE_COLUMNS[:-2])
    for row in session.execute(f"SELECT {kept} FROM loader.files WHERE load_id = ? ORDER BY ordinal", [load_id]):
        ordinal = int(row[_FILE_COLUMNS.index("ordinal")])
        found, reason = counts.get(ordinal), spoilt.get(ordinal)
        state = otherwise if reason is None else (RELEASED if reason in ("changed", "unreadable") else QUARANTINED)
        sums = (found.lines, found.events, found.quarantined) if found else (None, None, None)
        rows.append((*row, state, now, reason, *sums))
    session.execute("DELETE FROM loader.files WHERE load_id = ?", [load_id])
    session.append("loader.files", (*_FILE_COLUMNS, "reason", "lines", "events", "quarantined"), rows)


def abandon(session: Session, load_id: str) -> int:
    """Give a load up and release its files; return how many. Rows that it has merged stay: dedupe knows them."""
    now = datetime.now(UTC)
    session.execute("UPDATE loader.loads SET state = 'abandoned', updated_at = ? WHERE load_id = ?", [now, load_id])
    files = session.execute(
        f"UPDATE loader.files SET state = '{RELEASED}', changed_at = ? WHERE load_id = ? AND state = '{CLAIMED}'",
        [now, load_id],
    )
    return int(files[0][0])


def merged_tables(session: Session, load_id: str, schema: str) -> dict[str, Row]:
    """Return table → (rows, duplicates, seconds) of the tables of a schema that a load has merged."""
    rows = session.execute(
        f"SELECT table_name, {quoted(session.dialect, 'rows')}, duplicates, seconds FROM loader.load_tables "
        "WHERE load_id = ? AND schema_name = ? AND error IS NULL",
        [load_id, schema],
    )
    return {table: rest for table, *rest in rows}  # type: ignore[misc]  # three values


def note_tables(session: Session, load_id: str, schema: str, results: Sequence[tuple[TableResult, int]]) -> None:
    """Write what a load did to tables, each with its number of parts, in place of earlier failures."""
    names = [each.table.removeprefix(f"{schema}.") for each, _ in results]
    for some in shares(names):
        session.execute(
            "DELETE FROM loader.load_tables WHERE load_id = ? AND error IS NOT NULL "
            f"AND table_name IN {among(len(some))}",
            [load_id, *some],
        )
    now = datetime.now(UTC)
    columns = (
        *("load_id", "schema_name", "table_name", "rows", "duplicates", "parts", "seconds", "error", "loaded_at"),
        *("statements", "scanned_bytes", "server_seconds"),
    )
    rows = [
        (load_id, schema, name, each.rows, each.duplicates, parts, each.seconds, each.error, now, *_cost(each.cost))
        for name, (each, parts) in zip(names, results, strict=True)
    ]
    session.append("loader.load_tables", columns, rows)


def note_costs(session: Session, load_id: str, costs: Mapping[str, Cost]) -> None:
    """Write what the merge of tables cost, by table, in place of what was measured. Twice writes the same."""
    for some in shares(list(costs)):
        scanned = _case(session.dialect.types[ColumnType.INTEGER], [costs[name].scanned_bytes for name in some])
        seconds = _case(session.dialect.types[ColumnType.DOUBLE], [costs[name].server_seconds for name in some])
        session.execute(
            f"UPDATE loader.load_tables SET scanned_bytes = {scanned}, server_seconds = {seconds} "
            f"WHERE load_id = ? AND error IS NULL AND table_name IN {among(len(some))}",
            [*some, *some, load_id, *some],
        )


def _case(kind: str, numbers: Sequence[float | None]) -> str:
    whens = " ".join(f"WHEN ? THEN {'NULL' if number is None else repr(number)}" for number in numbers)
    return f"CAST(CASE table_name {whens} END AS {kind})"


def _cost(found: Cost) -> tuple[int, int | None, float | None]:
    return found.statements, found.scanned_bytes, found.server_seconds


def shares(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield values in shares that fit into one statement; none of none."""
    for start in range(0, len(values), _MAX_VALUES):
        yield values[start : start + _MAX_VALUES]


def moment(microseconds: int) -> datetime:
    """Return an instant, aware UTC."""
    return EPOCH + microseconds * _MICROSECOND


def microseconds(moment: datetime) -> int:
    """Return an instant in microseconds since 1970."""
    return (moment.astimezone(UTC) - EPOCH) // _MICROSECOND
