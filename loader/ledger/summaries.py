"""What the ledger tells a person: the history of loads, what is set aside, and why."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from loader.core.dialect import quoted
from loader.core.results import LoadLine, QuarantineLine
from loader.core.warehouse import Session

_LOAD = (
    *("load_id", "source", "state", "kind", "created_at", "finished_at", "files", "events", "rows", "duplicates"),
    *("filtered", "quarantined", "rejects", "conserved", "error"),
)
_COUNTS = {"files", "events", "rows", "duplicates", "filtered", "quarantined", "rejects"}


class RejectGroup(NamedTuple):
    """The rejects of one column for one reason; `value`, `file` and `line` are those of the first."""

    schema: str
    table: str
    column: str
    reason: str
    value: str
    file: str
    line: int
    source: str
    members: int


def latest_loads(session: Session, limit: int) -> list[LoadLine]:
    """Return the latest loads of all sources, newest first."""
    names = [(name, quoted(session.dialect, name)) for name in _LOAD]
    listed = ", ".join(f"coalesce({spelled}, 0)" if name in _COUNTS else spelled for name, spelled in names)
    rows = session.execute(
        f"SELECT {listed} FROM loader.loads ORDER BY created_at DESC, load_id LIMIT {int(limit)}",
    )
    return [LoadLine(*row) for row in rows]


def balance(session: Session) -> tuple[int, int]:
    """Return the events of all finished loads, and how many of them are not accounted for."""
    sums = session.execute(
        "SELECT coalesce(sum(events), 0), coalesce(sum(abs(unaccounted)), 0) FROM loader.conservation"
    )[0]
    return int(sums[0]), int(sums[1])


def last_finished(session: Session, source: str) -> datetime | None:
    """Return when the source's last load ended."""
    found: datetime | None = session.execute("SELECT max(finished_at) FROM loader.loads WHERE source = ?", [source])[0][
        0
    ]
    return found


def open_errors(session: Session, source: str) -> tuple[tuple[str, str, str], ...]:
    """Return id, state and error ("" where there is none) of the source's open loads, oldest first."""
    rows = session.execute(
        "SELECT load_id, state, coalesce(error, '') FROM loader.loads "
        "WHERE source = ? AND state NOT IN ('done', 'abandoned') ORDER BY created_at, load_id",
        [source],
    )
    return tuple((load_id, state, error) for load_id, state, error in rows)


def whereabouts(session: Session, load_id: str) -> tuple[str, str] | None:
    """Return the source and the state of a load, or None if there is none of that name."""
    found = session.execute("SELECT source, state FROM loader.loads WHERE load_id = ?", [load_id])
    return (found[0][0], found[0][1]) if found else None


def all_open(session: Session) -> list[str]:
    """Return the ids of the open loads of all sources, oldest first."""
    rows = session.execute(
        "SELECT load_id FROM loader.loads WHERE state NOT IN ('done', 'abandoned') ORDER BY created_at, load_id"
    )
    return [load_id for (load_id,) in rows]


def reject_groups(
    session: Session, *, source: str | None, table: tuple[str, str] | None, limit: int
) -> list[RejectGroup]:
    """Return the unresolved rejects by column and reason, most first."""
    chosen, values = _filter({"source": source, "schema_name": table and table[0], "table_name": table and table[1]})
    group = "PARTITION BY schema_name, table_name, column_name, reason"
    rows = session.execute(
        f"""
SELECT schema_name, table_name, column_name, reason, value, file, line, source, members
FROM (
  SELECT *, count(*) OVER ({group}) AS members,
    row_number() OVER ({group} ORDER BY rejected_at, file, line, row_id, value) AS turn
  FROM loader.rejects WHERE resolved_at IS NULL{chosen}
) AS grouped
WHERE turn = 1 ORDER BY members DESC, schema_name, table_name, column_name, reason LIMIT {int(limit)}""",
        values,
    )
    return [RejectGroup(*row) for row in rows]


def quarantined(session: Session, *, source: str | None, limit: int) -> list[QuarantineLine]:
    """Return the unresolved lines and whole files (line 0) in the quarantine, newest first, then by place."""
    chosen, values = _filter({"source": source})
    rows = session.execute(
        "SELECT source, load_id, file, line, reason, quarantined_at FROM loader.quarantine "
        f"WHERE resolved_at IS NULL{chosen} "
        f"ORDER BY quarantined_at DESC, source, file, line, element LIMIT {int(limit)}",
        values,
    )
    return [QuarantineLine(*row) for row in rows]


def quarantined_files(session: Session, source: str) -> list[str]:
    """Return the keys of the files that have something unresolved in the quarantine, in order."""
    rows = session.execute(
        "SELECT DISTINCT file FROM loader.quarantine WHERE source = ? AND resolved_at IS NULL ORDER BY file", [source]
    )
    return [file for (file,) in rows]


def _filter(wanted: dict[str, str | None]) -> tuple[str, Sequence[str]]:
    chosen = {name: value for name, value in wanted.items() if value is not None}
    return "".join(f" AND {name} = ?" for name in chosen), list(chosen.values())
