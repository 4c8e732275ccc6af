"""Loads and their files: claimed, moved from state to state, finished, abandoned."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from loader.core.objects import File
from loader.core.plan import Arrival, PlannedLoad
from loader.core.report import BadFile, Counts
from loader.core.results import State, TableResult
from loader.core.timestamps import EPOCH
from loader.core.warehouse import Row, Session

CLAIMED, LOADED, QUARANTINED, RELEASED = "claimed", "loaded", "quarantined", "released"
_MICROSECOND = timedelta(microseconds=1)


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
    count = "SELECT count(DISTINCT load_id) FROM loader.files WHERE source = ? AND list_contains(?, key)"
    return int(session.execute(count, [source, list(keys)])[0][0])


def newest_partition(session: Session, source: str) -> datetime | None:
    """Return the start of the newest partition of which a file was loaded."""
    found: datetime | None = session.execute(
        "SELECT max(partition_at) FROM loader.files WHERE source = ? AND state = 'loaded'", [source]
    )[0][0]
    return found


def finished(session: Session, source: str, load_ids: Sequence[str]) -> dict[str, datetime]:
    """Return when each of some loads was done; the others are left out."""
    rows = session.execute(
        "SELECT load_id, finished_at FROM loader.loads "
        "WHERE source = ? AND state = 'done' AND list_contains(?, load_id)",
        [source, list(load_ids)],
    )
    return dict(rows)


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
        "UPDATE loader.loads SET state = ?, error = ?, updated_at = now() WHERE load_id = ?", [state, error, load_id]
    )


def note_error(session: Session, load_id: str, error: str) -> State:
    """Write why a load came no further; return the state that it is in."""
    session.execute("UPDATE loader.loads SET error = ?, updated_at = now() WHERE load_id = ?", [error, load_id])
    found: State = session.execute("SELECT state FROM loader.loads WHERE load_id = ?", [load_id])[0][0]
    return found


def finish(session: Session, load_id: str, counts: Counts, *, rejects: int, primary: tuple[int, int]) -> bool:
    """Put a load into state done with its sums; return whether every event is accounted for.

    `primary`: rows and duplicates as the warehouse counted them, over the tables that hold each event once.
    """
    rows, duplicates = primary
    conserved = counts.events == rows + duplicates + counts.filtered + counts.quarantined
    session.execute(
        "UPDATE loader.loads SET state = 'done', error = NULL, lines = ?, events = ?, rows = ?, duplicates = ?, "
        "filtered = ?, quarantined = ?, rejects = ?, discarded_values = ?, conserved = ?, updated_at = now(), "
        "finished_at = now() WHERE load_id = ?",
        [
            *(counts.lines, counts.events, rows, duplicates, counts.filtered, counts.quarantined),
            *(rejects, counts.discarded_values, conserved, load_id),
        ],
    )
    return conserved


def settle_files(session: Session, load_id: str, counts: Mapping[int, Counts], bad: Sequence[BadFile]) -> None:
    """Write what became of each file: loaded, quarantined whole, or released to be loaded as it is now."""
    session.execute(f"UPDATE loader.files SET state = '{LOADED}', changed_at = now() WHERE load_id = ?", [load_id])
    note_counts(session, load_id, counts, bad)


def note_counts(session: Session, load_id: str, counts: Mapping[int, Counts], bad: Sequence[BadFile]) -> None:
    """Write what each file held, and which could not be read. Twice writes the same."""
    rows = [(load_id, ordinal, each.lines, each.events, each.quarantined) for ordinal, each in counts.items()]
    session.execute(
        "CREATE OR REPLACE TEMP TABLE file_counts (load_id VARCHAR, ordinal BIGINT, l BIGINT, e BIGINT, q BIGINT)"
    )
    session.append("temp.main.file_counts", ("load_id", "ordinal", "l", "e", "q"), rows)
    session.execute(
        "UPDATE loader.files AS f SET lines = c.l, events = c.e, quarantined = c.q FROM temp.file_counts AS c "
        "WHERE f.load_id = c.load_id AND f.ordinal = c.ordinal"
    )
    for each in bad:
        state = RELEASED if each.reason in ("changed", "unreadable") else QUARANTINED
        session.execute(
            "UPDATE loader.files SET state = ?, reason = ? WHERE load_id = ? AND ordinal = ?",
            [state, each.reason, load_id, each.file],
        )


def abandon(session: Session, load_id: str) -> int:
    """Give a load up and release its files; return how many. Rows that it has merged stay: dedupe knows them."""
    session.execute("UPDATE loader.loads SET state = 'abandoned', updated_at = now() WHERE load_id = ?", [load_id])
    files = session.execute(
        f"UPDATE loader.files SET state = '{RELEASED}', changed_at = now() WHERE load_id = ? AND state = '{CLAIMED}'",
        [load_id],
    )
    return int(files[0][0])


def merged_tables(session: Session, load_id: str) -> dict[str, Row]:
    """Return table → (rows, duplicates, seconds) of the tables that a load has merged."""
    rows = session.execute(
        "SELECT table_name, rows, duplicates, seconds FROM loader.load_tables WHERE load_id = ? AND error IS NULL",
        [load_id],
    )
    return {table: rest for table, *rest in rows}  # type: ignore[misc]  # three values


def note_tables(session: Session, load_id: str, schema: str, results: Sequence[tuple[TableResult, int]]) -> None:
    """Write what a load did to tables, each with its number of parts, in place of earlier failures."""
    names = [each.table.removeprefix(f"{schema}.") for each, _ in results]
    session.execute(
        "DELETE FROM loader.load_tables WHERE load_id = ? AND error IS NOT NULL AND list_contains(?, table_name)",
        [load_id, names],
    )
    now = datetime.now(UTC)
    columns = ("load_id", "schema_name", "table_name", "rows", "duplicates", "parts", "seconds", "error", "loaded_at")
    rows = [
        (load_id, schema, name, each.rows, each.duplicates, parts, each.seconds, each.error, now)
        for name, (each, parts) in zip(names, results, strict=True)
    ]
    session.append("loader.load_tables", columns, rows)


def moment(microseconds: int) -> datetime:
    """Return an instant, aware UTC."""
    return EPOCH + microseconds * _MICROSECOND


def microseconds(moment: datetime) -> int:
    """Return an instant in microseconds since 1970."""
    return (moment.astimezone(UTC) - EPOCH) // _MICROSECOND
