"""`users` and `accounts`, recomputed from their whole source tables (RULES 7.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from reference.model import Columns, Row


@dataclass(frozen=True, slots=True)
class Source:
    """Where one of the two comes from: the table, the column that becomes its id, and what is left out."""

    table: str
    key: str
    left_out: tuple[str, ...]


SOURCES = {
    "users": Source("identifies", "user_id", ("id", "user_id", "anonymous_id", "loaded_at", "load_id")),
    "accounts": Source("groups", "group_id", ("id", "group_id", "loaded_at", "load_id")),
}


def columns(source: Source, theirs: Columns) -> Columns:
    """Return the columns, given those of the source table."""
    return {"id": theirs[source.key]} | {
        column: type_ for column, type_ in theirs.items() if column not in source.left_out
    }


def rows(source: Source, theirs: Columns, calls: Sequence[Row]) -> list[Row]:
    """Return one row per user or account: per column the newest value that is not null."""
    people: dict[object, Row] = {}
    for row in sorted(calls, key=_age):  # the newest comes last, and stays
        if row[source.key] is not None:
            person = people.setdefault(row[source.key], dict.fromkeys(columns(source, theirs)))
            person["id"] = row[source.key]
            person |= {column: row[column] for column in person if column != "id" and row[column] is not None}
    return list(people.values())


def _age(row: Row) -> tuple[datetime, datetime, str]:
    happened_at, received_at = row["timestamp"], row["received_at"]
    assert isinstance(received_at, datetime)
    return happened_at if isinstance(happened_at, datetime) else received_at, received_at, str(row["id"])
