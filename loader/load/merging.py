"""Parts of one load → rows of the tables, one transaction per table, its ledger row inside."""

import time
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from loader.core import merge, spec
from loader.core.merge import Target
from loader.core.report import TableReport
from loader.core.results import Progress, TableResult
from loader.core.schema import Tables
from loader.core.warehouse import Session, Warehouse
from loader.errors import WarehouseError
from loader.ledger import loads
from loader.load.leasing import Lease

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

    def one(each: tuple[str, TableReport]) -> TableResult:
        result = _merged(warehouse, plan, *each, lease=lease)
        progress.advance(1)
        return result

    largest_first = sorted(found, key=lambda each: -sum(part.rows for part in each[1].parts))
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, largest_first))


def _merged(warehouse: Warehouse, plan: Merge, table: str, report: TableReport, *, lease: Lease) -> TableResult:
    began = time.monotonic()
    name = f"{plan.schema}.{table}"
    try:
        rows, duplicates = _merge(warehouse, plan, table, report, lease=lease, began=began)
    except WarehouseError as error:
        seconds = time.monotonic() - began
        with warehouse.session() as session:
            _note(session, plan, table, report, rows=0, duplicates=0, seconds=seconds, error=str(error))
        return TableResult(name, 0, 0, seconds, str(error))
    return TableResult(name, rows, duplicates, time.monotonic() - began)


def _merge(
    warehouse: Warehouse, plan: Merge, table: str, report: TableReport, *, lease: Lease, began: float
) -> tuple[int, int]:
    """Merge one table in one transaction; return rows added and duplicates left out."""
    dialect, target = warehouse.dialect, _target(plan, table, report)
    total = sum(part.rows for part in report.parts)
    with warehouse.staged(report.parts) as staged, warehouse.session() as session:
        lease.check(session)
        there = _has_rows(session, target)
        keys = merge.duplicates(dialect, target, staged, table_has_rows=there)
        session.execute(f"CREATE OR REPLACE TEMP TABLE left_out AS {keys}")
        without = "left_out" if session.execute("SELECT count(*) FROM left_out")[0][0] else None
        rows = int(session.execute(merge.insert(dialect, target, staged, without=without))[0][0])
        if table in _PROFILE_OF and rows:
            profile = _PROFILE_OF[table]
            for sql in merge.profile(dialect, plan.schema, profile, tuple(plan.tables[profile]), plan.load_id):
                session.execute(sql)
        session.execute("DROP TABLE left_out")
        _note(session, plan, table, report, rows=rows, duplicates=total - rows, seconds=time.monotonic() - began)
    return rows, total - rows


def _target(plan: Merge, table: str, report: TableReport) -> Target:
    system: Collection[str] = spec.system_columns(spec.CALLS[report.call]).keys()
    return Target(
        plan.schema,
        table,
        plan.tables[table],
        system,
        plan.load_id,
        loads.moment(min(part.earliest for part in report.parts)) - plan.window,
        loads.moment(max(part.latest for part in report.parts)) + plan.window,
    )


def _has_rows(session: Session, target: Target) -> bool:
    query = f'SELECT 1 FROM "{target.schema}"."{target.table}" LIMIT 1'
    return bool(session.execute(query))


def _note(
    session: Session,
    plan: Merge,
    table: str,
    report: TableReport,
    *,
    rows: int,
    duplicates: int,
    seconds: float,
    error: str | None = None,
) -> None:
    parts = len(report.parts)
    loads.note_table(
        session, plan.load_id, plan.schema, table,
        rows=rows, duplicates=duplicates, parts=parts, seconds=seconds, error=error,
    )  # fmt: skip
