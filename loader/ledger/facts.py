"""What the ledger knows of partitions: whether their files are read, whether they are rows, and what is wrong."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from loader.core.dialect import among, quoted
from loader.core.results import PartitionFacts
from loader.core.warehouse import Session

_DAMAGED = 20  # named per partition
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
_LATEST = """
SELECT f.partition_at, f.key, f.size, f.lines, f.events, f.quarantined, f.modified_at, f.state, f.reason,
  l.state AS load_state, l.finished_at, l.error,
  row_number() OVER (PARTITION BY f.key ORDER BY l.created_at DESC, l.load_id) AS turn
FROM loader.files AS f JOIN loader.loads AS l ON l.load_id = f.load_id
WHERE f.source = ? AND f.partition_at >= ? AND f.partition_at < ? AND f.state <> 'released'
  AND l.state <> 'abandoned'"""


def partition_facts(session: Session, source: str, start: datetime, stop: datetime) -> list[PartitionFacts]:
    """Return the facts of each partition from `start` to `stop` (left out) that has files, in order.

    Of a file that several loads had, the latest counts.
    """
    rows = session.execute(
        f"""
SELECT partition_at, count(*), sum(size), sum(coalesce(lines, 0)), sum(coalesce(events, 0)),
  sum(coalesce(quarantined, 0)), max(modified_at), max(finished_at),
  sum(CASE WHEN load_state = 'planned' THEN 1 ELSE 0 END), sum(CASE WHEN load_state <> 'done' THEN 1 ELSE 0 END),
  coalesce(max(CASE WHEN load_state <> 'done' THEN error END), '')
FROM ({_LATEST}) AS latest WHERE turn = 1 GROUP BY partition_at ORDER BY partition_at""",
        [source, start, stop],
    )
    damaged = _damaged(session, source, start, stop)
    found = []
    for at, files, size, lines, events, quarantined, newest, ended, unread, behind, error in rows:
        counts = (int(files), int(size), int(lines), int(events), int(quarantined))  # sums may come as decimals
        bad = tuple(damaged.get(at, ()))
        found.append(PartitionFacts(at, *counts, newest, ended, int(unread), int(behind), error, bad))
    return found


def open_partitions(session: Session, source: str) -> list[tuple[datetime, str, str]]:
    """Return partition, state and error ("" for none) of each open load's partitions, in order."""
    rows = session.execute(
        "SELECT DISTINCT f.partition_at, l.state, coalesce(l.error, '') FROM loader.loads AS l "
        "JOIN loader.files AS f ON f.load_id = l.load_id "
        "WHERE l.source = ? AND l.state NOT IN ('done', 'abandoned') AND f.state <> 'released' ORDER BY 1, 2, 3",
        [source],
    )
    return [(at, state, error) for at, state, error in rows]


def damaged_partitions(session: Session, source: str) -> dict[datetime, list[str]]:
    """Return the files that could not be read at all, and why, by partition."""
    return _damaged(session, source, _FIRST, _LAST)


def accept_damaged(session: Session, source: str, start: datetime, stop: datetime) -> int:
    """Mark the damaged files of some partitions as known to a person; return how many. Twice accepts no more."""
    found = session.execute(
        "UPDATE loader.files SET state = 'accepted' "
        "WHERE source = ? AND state = 'quarantined' AND partition_at >= ? AND partition_at < ?",
        [source, start, stop],
    )
    return int(found[0][0])


def reloadable(session: Session, source: str, start: datetime, stop: datetime) -> list[str]:
    """Return the loads that are done and have files of some partitions, oldest first; no load that was a reload."""
    rows = session.execute(
        "SELECT l.load_id FROM loader.loads AS l WHERE l.source = ? AND l.state = 'done' AND l.kind <> 'reload' "
        "AND l.partition_to >= ? AND l.partition_from < ? AND EXISTS (SELECT 1 FROM loader.files AS f "
        "WHERE f.load_id = l.load_id AND f.partition_at >= ? AND f.partition_at < ?) "
        "ORDER BY l.created_at, l.load_id",
        [source, start, stop, start, stop],
    )
    return [load_id for (load_id,) in rows]


def blocked_tables(session: Session, source: str) -> set[tuple[str, str]]:
    """Return load and table (schema.table) where an open load of the source could not merge the table."""
    rows = session.execute(
        "SELECT t.load_id, t.schema_name, t.table_name FROM loader.load_tables AS t "
        "JOIN loader.loads AS l ON l.load_id = t.load_id "
        "WHERE l.source = ? AND l.state NOT IN ('done', 'abandoned') AND t.error IS NOT NULL",
        [source],
    )
    return {(load_id, f"{schema}.{table}") for load_id, schema, table in rows}


def _damaged(session: Session, source: str, start: datetime, stop: datetime) -> dict[datetime, list[str]]:
    rows = session.execute(
        f"SELECT partition_at, key, reason FROM ({_LATEST}) AS latest "
        "WHERE turn = 1 AND state = 'quarantined' ORDER BY partition_at, key",
        [source, start, stop],
    )
    return _grouped((at, f"{key}: {reason}") for at, key, reason in rows)


def _grouped(pairs: Iterable[tuple[datetime, str]]) -> dict[datetime, list[str]]:
    found: dict[datetime, list[str]] = {}
    for at, text in pairs:
        if len(found.setdefault(at, [])) < _DAMAGED:
            found[at].append(text)
    return found


def table_rows(session: Session, schema: str, tables: Sequence[str]) -> dict[str, tuple[int, datetime]]:
    """Return how many rows loads have added to tables, and when the last came; none of `users` and `accounts`."""
    if not tables:
        return {}
    rows = session.execute(
        f"SELECT table_name, sum({quoted(session.dialect, 'rows')}), max(loaded_at) FROM loader.load_tables "
        f"WHERE schema_name = ? AND error IS NULL AND table_name IN {among(len(tables))} GROUP BY table_name",
        [schema, *tables],
    )
    return {table: (int(count), at) for table, count, at in rows}


def column_history(
    session: Session, schema: str, tables: Sequence[str]
) -> dict[str, tuple[datetime | None, dict[str, str]]]:
    """Return by table when its columns last changed, and how each column is spelled in the events."""
    if not tables:
        return {}
    rows = session.execute(
        "SELECT table_name, column_name, max(changed_at), coalesce(max(spelled), '') FROM loader.columns "
        f"WHERE schema_name = ? AND table_name IN {among(len(tables))} GROUP BY table_name, column_name",
        [schema, *tables],
    )
    found: dict[str, tuple[datetime | None, dict[str, str]]] = {}
    for table, column, at, spelled in rows:
        before, columns = found.get(table, (None, {}))
        found[table] = (at if before is None else max(before, at), {**columns, column: spelled})
    return found


def forget_rows(session: Session, schema: str, table: str, why: str, now: datetime) -> None:
    """Take back the rows that loads added to a table that is no longer there, in a line of its own."""
    rows, _ = table_rows(session, schema, [table]).get(table, (0, None))
    columns = ("load_id", "schema_name", "table_name", "rows", "duplicates", "parts", "seconds", "error", "loaded_at")
    session.append("loader.load_tables", columns, [(why, schema, table, -rows, 0, 0, 0.0, None, now)])
