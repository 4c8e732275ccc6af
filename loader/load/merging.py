"""Parts of one load → rows of the tables, the ledger's rows in the same transactions.

A table is a transaction of its own, in principle. Small ones share one, as a commit costs more than they do.
"""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial, reduce
from threading import Event

from loader.core import merge, spec
from loader.core.bounds import MAX_AT, MIN_AT
from loader.core.cost import Cost
from loader.core.dialect import Dialect
from loader.core.merge import Source, Target
from loader.core.report import TableReport
from loader.core.results import Progress, TableResult
from loader.core.schema import Tables
from loader.core.spec import TRACKS
from loader.core.staging import Delivery, Staged, fixed_columns
from loader.core.types import ColumnType
from loader.core.warehouse import Session, Warehouse
from loader.errors import CapacityError, WarehouseError
from loader.ledger import loads
from loader.load.leasing import Lease
from loader.load.retrying import retried

Table = tuple[str, TableReport]
_PROFILE_OF = {source: table for table, (source, _, _) in spec.PROFILES.items()}


@dataclass(frozen=True, slots=True)
class Merge:
    """One load's merges."""

    load_id: str
    schema: str
    tables: Tables  # as they are now
    reports: Mapping[str, TableReport]  # of all tables of the load, merged or not
    window: timedelta
    over: Event  # set when it is interrupted: threads end soon


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
        batches = _batches(warehouse.dialect, found)
        try:
            return [result for results in pool.map(some, batches) for result in results]
        except BaseException:
            plan.over.set()
            warehouse.cancel()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def billed(warehouse: Warehouse, results: Iterable[TableResult]) -> dict[str, Cost]:
    """Return table → what its merge cost, of the tables of which the warehouse's history says more than its answers."""
    costs = {each.table.partition(".")[2]: each.cost for each in results if each.cost.marks}
    history = warehouse.history() if costs else {}
    return {table: told for table, cost in costs.items() if (told := cost.told(history)) != replace(cost, marks=())}


def merge_threads(workers: int, found: Mapping[str, TableReport]) -> int:
    """Return how many threads a warehouse in this process should use while so many workers merge these tables.

    Each worker's statements run in its own thread. With more of them than cores, both CPU and time grow by a quarter
    (200,000 events, 66 tables, two cores: 3.9 to 4.9 s), so there are more only for want of tables.
    """
    tables = sum(1 for each in found.values() if each.parts)
    return max(workers - tables, 0) + 1


def _batches(dialect: Dialect, found: Iterable[tuple[str, TableReport]]) -> list[list[Table]]:
    """Return tables that share a transaction: small ones, since a commit costs as much as merging one of them."""
    batches: list[list[Table]] = []
    rows = dialect.shared_rows + 1  # `tracks` comes first, and alone: its rows are those of the event tables
    columns = 0
    for name, report in sorted(found, key=lambda each: (each[0] != TRACKS, -_rows(each[1]), each[0])):
        full = rows + _rows(report) > dialect.shared_rows or columns + len(report.columns) > dialect.shared_columns
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
        once = partial(_together, warehouse, plan, batch, lease=lease)
        return retried(once, again=partial(_together_again, warehouse, plan, batch, lease=lease), over=plan.over)
    except (WarehouseError, CapacityError) as error:
        if len(batch) > 1:
            return [result for each in batch for result in _merged(warehouse, plan, [each], lease=lease)]
        if isinstance(error, CapacityError):
            raise
        [(table, report)] = batch
        failed = TableResult(f"{plan.schema}.{table}", 0, 0, time.monotonic() - began, str(error))
        return retried(partial(_noted, warehouse, plan, failed, len(report.parts)), over=plan.over)


def _noted(warehouse: Warehouse, plan: Merge, failed: TableResult, parts: int) -> list[TableResult]:
    """Write that a table failed, unless the answer was lost and it did not."""
    table = failed.table.removeprefix(f"{plan.schema}.")
    with warehouse.session() as session:
        done = loads.merged_tables(session, plan.load_id, plan.schema)
        if table in done:
            return [TableResult(failed.table, *done[table])]
        loads.note_tables(session, plan.load_id, plan.schema, [(failed, parts)])
    return [failed]


def _together_again(warehouse: Warehouse, plan: Merge, batch: list[Table], *, lease: Lease) -> list[TableResult]:
    """Do as `_together` does, but for tables that an earlier try merged after all: only its answer was lost."""
    with warehouse.session() as session:
        done = loads.merged_tables(session, plan.load_id, plan.schema)
    left = [(name, report) for name, report in batch if name not in done]
    before = [TableResult(f"{plan.schema}.{name}", *done[name]) for name, _ in batch if name in done]
    return [*before, *(_together(warehouse, plan, left, lease=lease) if left else ())]


def _together(warehouse: Warehouse, plan: Merge, batch: list[Table], *, lease: Lease) -> list[TableResult]:
    """Add the new rows of some tables in one transaction."""
    with ExitStack() as stack:
        staged = [stack.enter_context(warehouse.staged(_delivery(plan, name, report))) for name, report in batch]
        session = stack.enter_context(warehouse.session())
        places = session.scratch("left_out", {"place": ColumnType.INTEGER})
        lease.check(session)
        sources = _sources(session, plan, batch, staged)
        some, most = 0, session.dialect.shared_query
        for first in range(0, len(sources), most):
            found = merge.duplicates(session.dialect, sources[first : first + most])
            some += session.execute(f"INSERT INTO {places} {found}")[0][0]
        without = places if some else None
        results = [
            _added(session, plan, source, _rows(report), without=without)
            for source, (_, report) in zip(sources, batch, strict=True)
        ]
        parts = [len(report.parts) for _, report in batch]
        loads.note_tables(session, plan.load_id, plan.schema, list(zip(results, parts, strict=True)))
        lease.hold(session)
    return results


def _sources(session: Session, plan: Merge, batch: list[Table], staged: list[list[Staged]]) -> list[Source]:
    """Return the tables' staged rows, and which tables are known to have none yet."""
    names = [name for name, _ in batch]
    there = set(names)
    if session.dialect.asks_empty:
        there = {name for (name,) in session.execute(merge.filled(session.dialect, plan.schema, names))}
    return [
        Source(_target(plan, name, report), parts, name in there)
        for (name, report), parts in zip(batch, staged, strict=True)
    ]


def _added(session: Session, plan: Merge, source: Source, total: int, *, without: str | None) -> TableResult:
    """Add the new ones of one table's `total` rows, inside the caller's transaction."""
    began, target, staged, dialect = time.monotonic(), source.target, source.staged, session.dialect
    before = session.cost
    # What is read in place is opened as a whole by its statement: several of them bound how much is open at once.
    together = [[each] for each in staged] if dialect.in_place else [staged]
    rows = 0
    for some in together:
        for between in _shares(session, target, some):
            rows += int(session.execute(merge.insert(dialect, target, some, without=without, between=between))[0][0])
    profile = _PROFILE_OF.get(target.table)
    if profile and (rows or session.execute(merge.missing(dialect, target, profile, staged))):
        for sql in merge.profile(dialect, target, profile, plan.tables[profile], staged):
            session.execute(sql)
    cost = reduce(Cost.plus, (each.cost for each in staged), session.cost.minus(before))
    name = f"{plan.schema}.{target.table}"
    return TableResult(name, rows, total - rows, time.monotonic() - began, cost=cost)


def _shares(session: Session, target: Target, staged: Sequence[Staged]) -> list[merge.Span | None]:
    """Return the spans of time of which the rows are added, one after the other: one, but for very many days."""
    limit = session.dialect.days_at_once
    if not limit or (target.highest - target.lowest).days < limit:
        return [None]
    found = [day for (day,) in session.execute(merge.days(session.dialect, staged))]
    return list(merge.spans(found, limit)) if len(found) > limit else [None]


def _delivery(plan: Merge, table: str, report: TableReport) -> Delivery:
    fixed, keys = fixed_columns(report.call), {part.key for part in report.parts}
    shared = (
        (name, each)
        for name, each in plan.reports.items()
        if table == TRACKS != name and each.parts and each.parts[0].key in keys
    )
    of = tuple(_delivery(plan, name, each) for name, each in shared)
    return Delivery(plan.load_id, plan.schema, table, report.parts, fixed, plan.tables[table], of=of)


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
