"""Parts → rows of a table, as SQL: which staged rows are new, and with which values.

Of several staged rows with one id the smallest by (received_at, content hash) stays; a row whose id the table has
already within the window is left out: the row already there wins. The window's bounds are constants, so that
a warehouse with partitions reads only those. Only keys are compared; wide rows are read once, to be inserted.

Where the columns of people's tables are in reach, our own names have a `#`, as no column of theirs has: in BigQuery the
name of a table comes before that of a column.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from loader.core.converting import converted
from loader.core.dialect import Dialect, literal, quoted
from loader.core.report import BOTH, EITHER, HASH, JSON, MIXED, ROW, TEXT
from loader.core.schema import Columns
from loader.core.spec import LOAD_COLUMNS, PROFILES
from loader.core.staging import Staged
from loader.core.types import ColumnType

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Target:
    """Where the rows go, and from where."""

    schema: str
    table: str
    columns: Columns
    system: Collection[str]  # columns that every part has
    load_id: str
    lowest: datetime  # bounds of received_at in which an id that is there already counts
    highest: datetime


@dataclass(frozen=True, slots=True)
class Source:
    """One table's staged rows."""

    target: Target
    staged: Sequence[Staged]
    rows_there: bool  # whether the table has rows already


def duplicates(dialect: Dialect, sources: Sequence[Source]) -> str:
    """Return the query for the row keys of staged rows that are not to be inserted, of all sources at once; a key
    may come twice.

    The sources' row keys differ: a row of an event table is a row of `tracks` too, so the two need two queries.
    """
    row, content = quoted(dialect, ROW), quoted(dialect, HASH)
    keys = "\nUNION ALL ".join(
        f"SELECT {number} AS source, id, received_at, {content} AS content, {row} AS place FROM {each.fixed}"
        for number, source in enumerate(sources)
        for each in source.staged
    )
    there = "".join(_there(dialect, number, each.target) for number, each in enumerate(sources) if each.rows_there)
    return f"""
WITH keys AS (
{keys}
)
SELECT place FROM (
  SELECT place, row_number() OVER (PARTITION BY source, id ORDER BY received_at, content, place) AS turn
  FROM keys JOIN (SELECT source, id FROM keys GROUP BY source, id HAVING count(*) > 1) AS twice USING (source, id)
) AS repeated WHERE turn > 1{there}"""


def _there(dialect: Dialect, number: int, target: Target) -> str:
    # The alias is for BigQuery, where `id` would be a whole row of a table that is called `id`.
    return f"""
UNION ALL
SELECT place FROM keys WHERE source = {number} AND id IN (
  SELECT id FROM {quoted(dialect, target.schema, target.table)} AS t
  WHERE received_at BETWEEN {_time(dialect, target.lowest)} AND {_time(dialect, target.highest)}
)"""


def filled(dialect: Dialect, schema: str, tables: Sequence[str]) -> str:
    """Return the query for the names of those tables that have rows."""
    return " UNION ALL ".join(
        f"(SELECT {literal(dialect, each)} AS name FROM {quoted(dialect, schema, each)} LIMIT 1)" for each in tables
    )


def insert(
    dialect: Dialect, target: Target, staged: Sequence[Staged], *, without: str | None, between: Span | None = None
) -> str:
    """Return the statement that adds the staged rows, but for those whose row key is in the relation `without`, and
    for those not received `between` two times.
    """
    names = [name for name in target.columns if name not in LOAD_COLUMNS]
    listed = ", ".join(quoted(dialect, name) for name in (*names, *LOAD_COLUMNS))
    row = quoted(dialect, ROW)
    conditions = [dialect.without.format(row=row, places=without)] if without else []
    if between:
        conditions.append(f"received_at BETWEEN {_time(dialect, between[0])} AND {_time(dialect, between[1])}")
    left_out = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    selects = [
        "SELECT "
        + ", ".join(_value(dialect, target, name, each) for name in names)
        + f", {dialect.now}, {literal(dialect, target.load_id)} FROM {each.relation}{left_out}"
        for each in staged
    ]
    return f"INSERT INTO {quoted(dialect, target.schema, target.table)} ({listed})\n" + "\nUNION ALL\n".join(selects)


def days(dialect: Dialect, staged: Sequence[Staged]) -> str:
    """Return the query for the days on which the staged rows were received, in order."""
    day = dialect.day.format(value="received_at")
    found = " UNION ALL ".join(f"SELECT {day} AS day FROM {each.relation}" for each in staged)
    return f"SELECT DISTINCT day FROM ({found}) AS days ORDER BY day"


def spans(found: Sequence[datetime], size: int) -> list[Span]:
    """Return the times from and to which so many of the days last, share by share.

    >>> [f"{first:%d}-{last:%d %H:%M}" for first, last in spans([datetime(2026, 1, day) for day in (1, 5, 9)], 2)]
    ['01-05 23:59', '09-09 23:59']
    """
    shares = (found[start : start + size] for start in range(0, len(found), size))
    return [(share[0], share[-1].replace(hour=23, minute=59, second=59, microsecond=999_999)) for share in shares]


def missing(dialect: Dialect, target: Target, table: str, staged: Sequence[Staged]) -> str:
    """Return the query that finds a row if someone in the staged rows is not in `users` or `accounts`."""
    ours, people = quoted(dialect, target.schema, table), _people(PROFILES[table][1], staged)
    return f"SELECT 1 FROM ({people}) AS people LEFT JOIN {ours} AS t ON t.id = people.id WHERE t.id IS NULL LIMIT 1"


def _people(key: str, staged: Sequence[Staged]) -> str:
    return " UNION ALL ".join(f"SELECT {key} AS id FROM {each.fixed} WHERE {key} IS NOT NULL" for each in staged)


def profile(dialect: Dialect, target: Target, table: str, columns: Columns, staged: Sequence[Staged]) -> list[str]:
    """Return the statements that bring `users` or `accounts` up to date with the staged rows of their source table.

    Everyone whom these rows name is computed anew from all their rows: per column the newest value that is not null.
    """
    source, key, _ = PROFILES[table]
    theirs, ours = quoted(dialect, target.schema, source), quoted(dialect, target.schema, table)
    touched = _people(key, staged)
    chosen = {name: each.type for name, each in columns.items() if name != "id" and name not in LOAD_COLUMNS}
    listed = ", ".join(quoted(dialect, name) for name in ("id", *chosen, *LOAD_COLUMNS))
    return [
        f"DELETE FROM {ours} WHERE id IN ({touched})",
        f"""INSERT INTO {ours} ({listed})
SELECT id, {", ".join(quoted(dialect, name) for name in chosen)}, {dialect.now}, {literal(dialect, target.load_id)}
FROM ({newest(dialect, theirs, key, chosen, f"{key} IN ({touched})")}) AS {quoted(dialect, "people#")}""",
    ]


def newest(dialect: Dialect, table: str, key: str, columns: Mapping[str, ColumnType], chosen: str) -> str:
    """Return the query for `id` (the values of `key`) and the newest value that is not null of each of the columns,
    over those rows of a table that the condition `chosen` selects.
    """
    template, turn = dialect.newest_over or dialect.newest, quoted(dialect, "turn#")
    by_type = {ColumnType.JSON: dialect.newest_json or template}
    named = {quoted(dialect, name): by_type.get(kind, template) for name, kind in columns.items()}
    values = ", ".join(f"{each.format(value=name, key=key, turn=turn)} AS {name}" for name, each in named.items())
    time, last = quoted(dialect, "timestamp"), dialect.bytewise.format(value="id")
    turns = f"""
  SELECT *, row_number() OVER (PARTITION BY {key} ORDER BY coalesce({time}, received_at), received_at, {last}) AS {turn}
  FROM {table} AS t WHERE {chosen}
"""
    alias = quoted(dialect, "turns#")
    if not dialect.newest_over:
        return f"""
SELECT {key} AS id, {values}
FROM ({turns}) AS {alias}
GROUP BY {key}"""
    return f"""
SELECT * FROM (
SELECT {key} AS id, {values}, {turn}
FROM ({turns}) AS {alias}) AS valued WHERE {turn} = 1"""


def _value(dialect: Dialect, target: Target, name: str, staged: Staged) -> str:
    """Return the expression for a staged column in the target's type; nothing is lost by any of these."""
    wanted = target.columns[name].type
    spelled, own, kind = quoted(dialect, name), dialect.types[wanted], staged.columns.get(name)
    if name in target.system:
        return spelled
    if kind is None:
        return f"CAST(NULL AS {own})"
    if kind == wanted.value or (kind == BOTH and wanted is ColumnType.TIMESTAMP):
        return dialect.parsed_json.format(value=spelled) if wanted is ColumnType.JSON else spelled
    if kind == EITHER and wanted is ColumnType.JSON:
        return dialect.parsed_json.format(value=quoted(dialect, name + JSON))
    if kind in (EITHER, MIXED):
        return spelled  # a string column: settling lets no other through
    if kind == BOTH:
        return converted(dialect, quoted(dialect, name + TEXT), ColumnType.STRING, wanted)
    return converted(dialect, spelled, ColumnType(kind), wanted)


def _time(dialect: Dialect, moment: datetime) -> str:
    return dialect.timestamp.format(text=literal(dialect, moment.isoformat(sep=" ")))
