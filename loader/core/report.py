"""What a shard found and wrote: everything the rest of the load needs to know, as plain data.

Reports are joined by union, sum, minimum and maximum, so that the order of shards cannot matter.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields

from loader.core.types import Kinds

# Columns of a part that are not columns of its table; an identifier never holds a `#`.
ROW, HASH, TEXT, JSON = "#row", "#hash", "#text", "#json"
MIXED = "mixed text"  # a part's string column whose values were not all strings: as JSON they would be others
EITHER = "text+json"  # the same of a new column: with `<name>#json`, the values as JSON, if all of them fit as both
BOTH = "timestamp+text"  # a part's column of a new timestamp column: with `<name>#text`, the strings as sent


@dataclass(frozen=True, slots=True)
class Found:
    """What one column of a table held, over all its rows before deduplication."""

    kinds: Kinds = 0
    rows: int = 0  # with a value
    first: int = 2**63 - 1  # smallest key of a row with a value: the evidence of a new column
    spelled: tuple[str, ...] = ()  # paths as sent, sorted

    def joined(self, other: "Found") -> "Found":
        same = self.spelled == other.spelled or not self.spelled  # nearly always
        spelled = other.spelled if same else tuple(sorted({*self.spelled, *other.spelled})[:8])
        return Found(self.kinds | other.kinds, self.rows + other.rows, min(self.first, other.first), spelled)


@dataclass(frozen=True, slots=True)
class Part:
    """A Parquet file with rows of one table. `columns` says how the part spells each column's type."""

    key: str  # in staging
    rows: int
    size: int  # bytes
    columns: Mapping[str, str]  # column → a ColumnType's value, BOTH, EITHER or MIXED
    overflow: tuple[str, ...] = ()  # columns that went into the overflow column, for want of room
    earliest: int = 0  # received_at of the rows, in microseconds
    latest: int = 0


@dataclass(frozen=True, slots=True)
class TableReport:
    """One table: the call it belongs to, what its columns held, and its parts."""

    call: str
    columns: Mapping[str, Found]
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """Where the lines and events of files went. Duplicates are known only when the rows are merged."""

    lines: int = 0
    events: int = 0
    rows: int = 0  # before deduplication
    filtered: int = 0
    quarantined: int = 0
    discarded_values: int = 0
    rejects: int = 0

    def plus(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Counts)))


@dataclass(frozen=True, slots=True)
class BadFile:
    """A file that is quarantined whole, or was not there as it was listed."""

    file: int  # ordinal in the load
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """What one shard found and wrote."""

    tables: Mapping[str, TableReport]
    counts: Mapping[int, Counts]  # by file ordinal
    bad_files: tuple[BadFile, ...] = ()
    rejects: tuple[str, ...] = ()  # keys of Parquet files in staging
    quarantine: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)


def total(reports: Iterable[Report]) -> Counts:
    """Return the counts of all files of all reports."""
    result = Counts()
    for report in reports:
        for counts in report.counts.values():
            result = result.plus(counts)
    return result


def intact(tables: Mapping[str, TableReport], notes: Iterable[str], sizes: Mapping[str, int]) -> bool:
    """Return whether all parts are in staging as they were written, `sizes` being what is there, by key.

    `notes`: the keys of parts with rejects and quarantined lines. A power failure may take parts, or cut them short.
    """
    parts = (part for each in tables.values() for part in each.parts)
    return all(sizes.get(part.key) == part.size for part in parts) and all(sizes.get(key) for key in notes)


def columns_of(reports: Iterable[Report]) -> dict[str, TableReport]:
    """Return what each table's columns held over all reports, and all its parts, in the order of their keys."""
    tables: dict[str, TableReport] = {}
    for report in reports:
        for name, found in report.tables.items():
            old = tables.get(name, TableReport(found.call, {}))
            columns = dict(old.columns)
            for column, each in found.columns.items():
                columns[column] = columns.get(column, Found()).joined(each)
            parts = sorted((*old.parts, *found.parts), key=lambda part: part.key)
            tables[name] = TableReport(found.call, columns, tuple(parts))
    return tables
