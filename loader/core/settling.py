"""Reports of all shards → one schema, and the shards that must write a table again because of it.

Each shard decides types by what it alone saw. Most differences are only a matter of spelling, and the merge's SQL
evens them out without loss. Where it cannot (a column that found no room, a double that must be an integer
after all), the shard writes that table again, with the schema settled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loader.core.policy import Known
from loader.core.report import BOTH, EITHER, MIXED, Part, Report, TableReport, columns_of
from loader.core.schema import OVERFLOW_COLUMNS, Columns, Tables, settled
from loader.core.spec import TRACKS
from loader.core.types import ColumnType

_INTO_TEXT = {ColumnType.STRING, ColumnType.JSON}


@dataclass(frozen=True, slots=True)
class Settled:
    """The schema after the load, and which tables each shard must write again to follow it."""

    tables: Mapping[str, Columns]
    again: Mapping[int, frozenset[str]]  # shard → tables
    known: Known  # what these shards are to know


def settle(known: Tables, reports: Sequence[Report], *, max_columns: int, respells: bool = False) -> Settled:
    """Return the schema that all reports ask for. The order of the reports does not matter.

    `respells`: as in Policy.
    """
    found = columns_of(reports)
    tables = settled(known, found, max_columns=max_columns)
    again = {shard: _unfit(report, tables, respells=respells) for shard, report in enumerate(reports)}
    full = frozenset(name for name, report in found.items() if report.columns.keys() - tables[name].keys())
    return Settled(tables, {shard: names for shard, names in again.items() if names}, Known({**known, **tables}, full))


def fits(known: Tables, found: Mapping[str, TableReport], *, max_columns: int, respells: bool = False) -> bool:
    """Return whether parts that were settled once can still be merged: a column may have got another type since."""
    return not _unfit(Report(found, {}), settled(known, found, max_columns=max_columns), respells=respells)


def replaced(report: Report, again: Report, tables: frozenset[str]) -> Report:
    """Return a shard's report with the parts of its second round: what it found stays."""
    newer = dict(report.tables)
    for name in tables:
        old = report.tables[name]
        newer[name] = TableReport(old.call, old.columns, again.tables[name].parts if name in again.tables else ())
    if TRACKS in newer:
        parts = {part.key: part for part in report.tables[TRACKS].parts}
        for name in tables & report.tables.keys():
            for part in report.tables[name].parts:
                parts.pop(part.key, None)
        second = again.tables[TRACKS].parts if TRACKS in again.tables else ()
        parts |= {part.key: part for part in second}
        newer[TRACKS] = TableReport("track", report.tables[TRACKS].columns, tuple(parts.values()))
    return Report(newer, report.counts, report.bad_files, report.rejects, report.quarantine)


def _unfit(report: Report, tables: Tables, *, respells: bool) -> frozenset[str]:
    """Return the tables whose parts cannot be merged as they are; never `tracks`, which has the event tables' parts."""
    return frozenset(
        name
        for name, each in report.tables.items()
        if name != TRACKS
        for part in each.parts
        if not _fits(part, tables[name], respells=respells)
    )


def _fits(part: Part, columns: Columns, *, respells: bool) -> bool:
    if any(name in columns for name in part.overflow):
        return False
    return all(
        name in columns and _converts(kind, columns[name].type, respells=respells)
        for name, kind in part.columns.items()
        if name not in OVERFLOW_COLUMNS
    )


def _converts(kind: str, wanted: ColumnType, *, respells: bool) -> bool:
    if kind in (EITHER, MIXED):
        return wanted is ColumnType.STRING or (kind == EITHER and wanted is ColumnType.JSON)
    if kind == wanted.value or wanted in _INTO_TEXT:
        return kind == wanted.value or kind != ColumnType.DOUBLE.value or not respells
    return (kind, wanted) in {(BOTH, ColumnType.TIMESTAMP), (ColumnType.INTEGER.value, ColumnType.DOUBLE)}
