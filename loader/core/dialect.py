"""Dialect: the facts about a warehouse's SQL that planning and statements need. Data, no behaviour.

Templates are filled with `str.format`; `{value}` is an SQL expression. The defaults are DuckDB's spelling. SQLAlchemy's
dialects are not used for this: importing them takes longer than a load with nothing to do may, they know neither
COPY nor `newest`, and what they would write could not be read in a diff. The tests compare with them instead.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from loader.core.types import ColumnType

_HASH_DIGITS = 8
Pair = tuple[ColumnType, ColumnType]


@dataclass(frozen=True, slots=True)
class Layout:
    """What follows the columns of a new table: how the warehouse is to lay out its rows."""

    events: str = ""  # tables that have `id` and `received_at`
    profiles: str = ""  # `users` and `accounts`
    others: str = ""  # the ledger's


@dataclass(frozen=True, slots=True)
class Dialect:
    """One warehouse's SQL, as far as it differs."""

    name: str
    types: Mapping[ColumnType, str]  # how each type is spelled in CAST, and in CREATE and ALTER unless `stored` says
    stored: Mapping[ColumnType, str] = field(default_factory=dict)
    noted: Mapping[ColumnType, str] = field(default_factory=dict)  # as `stored`, in the ledger's own tables
    staged: Mapping[ColumnType, str] = field(default_factory=dict)  # in staging tables; json arrives there as text
    transactional_ddl: bool = True
    # Names and texts.
    quote: str = '"'  # around identifiers
    quote_escaped: str = '""'  # inside them
    upper: bool = False  # identifiers are folded to upper case
    max_identifier_bytes: int = 127
    max_text_bytes: int = 0  # of a value; longer ones are rejected before they are loaded; 0: no limit that matters
    max_json_bytes: int = 0
    escapes: Mapping[str, str] = field(default_factory=lambda: {"'": "''"})  # in literals
    # Expressions.
    now: str = "now()"
    timestamp: str = "TIMESTAMPTZ {text}"  # of a literal such as '2026-01-01 00:00:00+00:00'
    text: str = "CAST({value} AS VARCHAR)"  # of booleans and integers, as JSON writes them
    boolean_text: str = ""  # of booleans, where it is another
    respells: bool = False  # that of doubles is another than ours, so a merge takes none that become texts
    double_text: str = "CAST({value} AS VARCHAR)"  # of doubles that are not whole, or too large to be exact
    truncated: str = "trunc({value})"
    timestamp_text: str = (
        "replace(strftime(CAST({value} AT TIME ZONE 'UTC' AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%fZ'), '.000000Z', 'Z')"
    )
    text_as_json: str = "to_json({value})"  # a json string of a text
    md5: str = "md5({value})"  # of a text, in small hex
    parsed_json: str = "CAST({value} AS JSON)"  # of JSON text
    bytewise: str = "{value}"  # a text that is ordered by its bytes, whatever the database's collation
    shift_right: str = "{value} >> {bits}"
    bit_and: str = "{value} & {mask}"
    newest: str = "arg_max({value}, {turn}) FILTER ({value} IS NOT NULL)"  # of a group's values in order of `turn`
    newest_json: str = ""  # of json columns, where it is another; as `newest_over` is, aggregate or window function
    newest_over: str = ""  # the same as a window function over all rows of `{key}`, where no aggregate can do it
    # Statements.
    without: str = "{row} NOT IN (SELECT place FROM {places})"  # the condition that a row key is not in a relation
    add_column: str = "ADD COLUMN IF NOT EXISTS {column} {type}"
    adds_at_once: int = 1  # columns in one ALTER
    widen: tuple[str, ...] = ("ALTER TABLE {table} ALTER COLUMN {column} TYPE {type} USING {value}",)
    widen_in_place: Mapping[Pair, tuple[str, ...]] = field(default_factory=dict)  # other statements for some pairs
    layout: Layout = Layout()
    indexes: tuple[str, ...] = ()  # after a new table of events; {name} is a name for it
    comment_table: str = ""  # "COMMENT ON TABLE {table} IS {text}"; empty: comments are not kept
    comment_column: str = ""
    described: str = ""  # in their place, behind a new column and a new table: "OPTIONS (description={text})"
    max_described: int = 0  # characters of such a text
    lock: tuple[str, ...] = ()  # first in a transaction, they let only one at a time ask for a lease
    guard: str = ""  # behind the query for the lease inside a merge: nobody takes it over until that ends
    # Where no query can lock: the last statement of a merge, which writes the row of the lease (source ?, token ?).
    hold: str = ""
    views: Mapping[str, str] = field(default_factory=dict)  # passages of sql/views that are spelled otherwise
    # How a load goes about it.
    in_place: bool = False  # parts are read where they are, once per query: a query over few columns is cheap
    asks_empty: bool = True  # whether asking which tables are empty saves more than it costs
    day: str = ""  # of a time; and how many of them one statement may write to, where a table has a partition for each
    days_at_once: int = 0
    shared_rows: int = 0  # of tables that are merged in one transaction; 0: each has its own
    shared_columns: int = 0
    shared_query: int = 32  # tables in one query: DuckDB's memory and planning grow faster than their number
    staging_schema: str = "loader_staging"


def quoted(dialect: Dialect, *names: str) -> str:
    """Return an identifier, or a qualified one, in quotes: no name is a reserved word then.

    One that is too long for the warehouse ends in a hash of the whole.
    """
    return ".".join(_quoted(dialect, name) for name in names)


def _quoted(dialect: Dialect, name: str) -> str:
    mark = dialect.quote
    if len(name) > dialect.max_identifier_bytes:
        name = fitted(name, dialect.max_identifier_bytes)
    return mark + (name.upper() if dialect.upper else name).replace(mark, dialect.quote_escaped) + mark


def fitted(name: str, max_bytes: int) -> str:
    """Return a name of ASCII characters within a limit: an over-long one ends in a hash of the whole."""
    if len(name) <= max_bytes:
        return name
    return f"{name[: max_bytes - _HASH_DIGITS - 1]}_{hashlib.sha256(name.encode()).hexdigest()[:_HASH_DIGITS]}"


def literal(dialect: Dialect, text: str) -> str:
    """Return a string as SQL writes it."""
    return "'" + text.translate({ord(each): spelled for each, spelled in dialect.escapes.items()}) + "'"


def among(count: int) -> str:
    """Return `(?, ?, …)` for so many values of an IN; of none, what nothing is in."""
    return f"({', '.join('?' * count)})" if count else "(NULL)"
