"""Parts of one load → rows of the tables, the ledger's rows in the same transactions.

A table is a transaction of its own, in principle. Small ones share one, as a commit costs more than they do.
"""

import time
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta

from loader.core import merge, spec
from loader.core.dialect import Dialect
from loader.core.merge import Source, Target
from loader.core.report import TableReport
from loader.core.results import Progress, TableResult
from loader.core.schema import Tables
from loader.core.spec import TRACKS
from loader.core.timestamps import MAX_AT, MIN_AT
from loader.core.warehouse import Session, Warehouse
from loader.errors import CapacityError, WarehouseError
from loader.ledger import loads
from loader.load.leasing import Lease

Table = tuple[str, TableReport]
_MAX_ROWS = 60_000  # of tables that share a transaction
_MAX_COLUMNS = 256  # of the same: DuckDB holds a block of 256 KiB for each until it commits
_MAX_UNION = 32  # tables in one query: DuckDB's memory and planning grow faster than their number
_PROFILE_OF = {source: table for table, (source, _, _) in spec.PROFILES.items()}


@dataclass(frozen=True, slots=True)
class Merge:
    """One load's merges."""

    load_id: str
    schema: str
    tables: Tables  # as they are now
    window: timedelta


def merge_tables(
    warehouse: Warehouse,
    plan: Merge,
    found: Iterable[tuple[str, TableReport]],
    *,
    lease: Lease,
    threads: int,
    progress: Progress,
) -> list[TableResult]:
    """Merge each table, several at once. A table that fails is reported, and stops no other."""

    def some(batch: list[Table]) -> list[TableResult]:
        results = _merged(warehouse, plan, batch, lease=lease)
        progress.advance(len(batch))
        return results

    with ThreadPoolExecutor(threads) as pool:
        return [result for results in pool.map(some, _batches(found)) for result in results]


def _batches(found: Iterable[tuple[str, TableReport]]) -> list[list[Table]]:
    """Return tables that share a transaction: small ones, since a commit costs as much as merging one of them."""
    batches: list[list[Table]] = []
    rows = _MAX_ROWS + 1  # `tracks` comes first, and alone: its rows are those of the event tables
    columns = 0
    for name, report in sorted(found, key=lambda each: (each[0] != TRACKS, -_rows(each[1]), each[0])):
        full = rows + _rows(report) > _MAX_ROWS or columns + len(report.columns) > _MAX_COLUMNS
        if full or batches[-1][0][0] == TRACKS:
            batches.append([])
            rows = columns = 0
        batches[-1].append((name, report))
        rows += _rows(report)
        columns += len(report.columns)
    return batches


def _rows(report: TableReport) -> int:
    return sum(part.rows for part in report.parts)


def _merged(warehouse: Warehouse, plan: Merge, batch: list[Table], *, lease: Lease) -> list[TableResult]:
    """Merge tables in one transaction; where that fails, each in its own, so that only the failing one is left out."""
    began = time.monotonic()
    try:
        return _together(warehouse, plan, batch, lease=lease)
    except (WarehouseError, CapacityError) as error:
        if len(batch) > 1:
            return [result for each in batch for result in _merged(warehouse, plan, [each], lease=lease)]
        if isinstance(error, CapacityError):
            raise
        [(table, report)] = batch
        failed = TableResult(f"{plan.schema}.{table}", 0, 0, time.monotonic() - began, str(error))
        with warehouse.session() as session:
            loads.note_tables(session, plan.load_id, plan.schema, [(failed, len(report.parts))])
        return [failed]


def _together(warehouse: Warehouse, plan: Merge, batch: list[Table], *, lease: Lease) -> list[TableResult]:
    """Add the new rows of some tables in one transaction."""
    dialect = warehouse.dialect
    with ExitStack() as stack:
        staged = [stack.enter_context(warehouse.staged(report.parts)) for _, report in batch]
        session = stack.enter_context(warehouse.session())
        lease.check(session)
        there = {name for (name,) in session.execute(merge.filled(dialect, plan.schema, [name for name, _ in batch]))}
        sources = [
            Source(_target(plan, name, report), parts, name in there)
            for (name, report), parts in zip(batch, staged, strict=True)
        ]
        session.execute("CREATE OR REPLACE TEMP TABLE left_out (place BIGINT)")
        some = 0
        for first in range(0, len(sources), _MAX_UNION):
            found = merge.duplicates(dialect, sources[first : first + _MAX_UNION])
            some += session.execute(f"INSERT INTO left_out {found}")[0][0]
        without = "left_out" if some else None
        results = [
            _added(session, dialect, plan, source, _rows(report), without=without)
            for source, (_, report) in zip(sources, batch, strict=True)
        ]
        parts = [len(report.parts) for _, report in batch]
        loads.note_tables(session, plan.load_id, plan.schema, list(zip(results, parts, strict=True)))
    return results


def _added(
    session: Session, dialect: Dialect, plan: Merge, source: Source, total: int, *, without: str | None
) -> TableResult:
    """Add the new ones of one table's `total` rows, inside the caller's transaction."""
    began, target, staged = time.monotonic(), source.target, source.staged
    rows = int(session.execute(merge.insert(dialect, target, staged, without=without))[0][0])
    profile = _PROFILE_OF.get(target.table)
    if profile and (rows or session.execute(merge.missing(dialect, target, profile, staged))):
        for sql in merge.profile(dialect, target, profile, tuple(plan.tables[profile]), staged):
            session.execute(sql)
    return TableResult(f"{plan.schema}.{target.table}", rows, total - rows, time.monotonic() - began)


def _target(plan: Merge, table: str, report: TableReport) -> Target:
    window = plan.window // timedelta(microseconds=1)
    system: Collection[str] = spec.system_columns(spec.CALLS[report.call]).keys()
    return Target(
        plan.schema,
        table,
        plan.tables[table],
        system,
        plan.load_id,
        loads.moment(max(min(part.earliest for part in report.parts) - window, MIN_AT)),
        loads.moment(min(max(part.latest for part in report.parts) + window, MAX_AT)),
    )
