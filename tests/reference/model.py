"""The words of the reference: what goes into `shred`, and what comes out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

Type = Literal["boolean", "integer", "double", "timestamp", "string", "json"]
Row = dict[str, object]  # column → bool, int, float, str, aware UTC datetime, None, or JSON as plain Python


@dataclass(frozen=True, slots=True)
class File:
    """One input file; `content` is decompressed, `partition_at` the aware UTC start of its partition."""

    key: str
    partition_at: datetime
    content: bytes


@dataclass(frozen=True, slots=True)
class Settings:
    """What a source may configure; patterns are those of `fnmatchcase`, but for `[`, which is itself."""

    max_line_bytes: int = 1 << 20
    max_depth: int = 5
    max_columns: int = 1000
    evolve: Literal["evolve", "freeze", "discard"] = "evolve"
    dedupe_window: timedelta = timedelta(days=7)
    include_events: tuple[str, ...] = ()
    exclude_events: tuple[str, ...] = ()
    include_properties: tuple[str, ...] = ()
    exclude_properties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """A column's type; `big` says that an integer column has ever held an integer beyond 2^53."""

    type: Type
    big: bool = False


Columns = dict[str, Column]


@dataclass(frozen=True, slots=True)
class State:
    """The tables of one source in the warehouse; rows may leave out columns that are null."""

    tables: Mapping[str, Columns] = field(default_factory=dict)
    rows: Mapping[str, Sequence[Row]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reject:
    """A value that is not stored as it was sent; `value` is its JSON text as sent."""

    table: str
    row_id: str
    column: str
    value: str
    reason: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A line, an envelope or one event of it that becomes no row."""

    file: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The warehouse after the load (`loaded_at` and `load_id` left out of the rows), and what did not get there."""

    tables: dict[str, Columns]
    rows: dict[str, list[Row]]
    rejects: list[Reject]
    quarantine: list[Quarantined]
    counts: dict[str, int]

    @property
    def state(self) -> State:
        """The same warehouse as the `existing` of a next load."""
        return State(self.tables, self.rows)
