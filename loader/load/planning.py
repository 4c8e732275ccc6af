"""What a load would do, found by doing its first half elsewhere: the files are shredded into a folder of its own."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import assert_never

import pyarrow as pa
import pyarrow.parquet as pq

from loader.config import Config
from loader.core.objects import load_bytes
from loader.core.plan import PlannedLoad, loads
from loader.core.results import PlannedChange, PlanResult, Progress, Window
from loader.core.schema import (
    AddColumn,
    Change,
    CreateTable,
    Tables,
    WidenColumn,
    changes,
    family,
    settled,
    with_profiles,
)
from loader.core.spec import CALLS, CONTEXT_PREFIX, system_columns
from loader.ledger import loads as ledger
from loader.ledger import notes
from loader.load.edges import Edges
from loader.load.evidence import Evidence
from loader.load.leasing import Lease
from loader.load.listing import Listing, pending
from loader.load.reading import apart, reading
from loader.load.runs import Manifest, Run
from loader.load.shredding import shredded


@dataclass(slots=True)
class _Outlook:
    """What the loads of a plan would do, all together."""

    events: int = 0
    rejects: int = 0
    tables: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    changes: list[PlannedChange] = field(default_factory=list)
    renamed: dict[tuple[str, str, str], None] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def plan(config: Config, source: str, *, window: Window, progress: Progress) -> PlanResult:
    """Return what a load of the source's new files would do. Takes no lease and writes nothing that stays.

    Parts go into a temporary folder, at most those of one load at a time. Called twice, it answers twice the same.
    """
    began = time.monotonic()
    with apart(config, source) as edges:
        known, listing, outlook = _before(config, edges, window)
        planned = list(loads(source, listing.arrivals, max_bytes=config.load.max_load_bytes))
        for each in planned:
            run = Run(edges, _NOBODYS, progress, each, "load", False, began)
            known = _foreseen(run, known, outlook)
            edges.staging.delete([file.key for file in edges.staging.list(run.prefix)])
    return _result(edges, planned, outlook)


_NOBODYS = Lease("", "")  # nothing that needs one is done


def _before(config: Config, edges: Edges, window: Window) -> tuple[Tables, Listing, _Outlook]:
    """Return the tables as they are, the new files, and what is to be said about earlier loads and stray files."""
    outlook = _Outlook()
    with reading(config) as (opened, asked), asked.session() as session:
        known = notes.known_tables(
            opened.describe(edges.settings.schema), notes.big_columns(session, edges.settings.schema)
        )
        listing = pending(edges, session, window)
        for each in ledger.open_loads(session, edges.source):
            outlook.problems.append(f"load {each.load_id} is open, in state {each.state}: a load continues it first")
    if listing.strays:
        outlook.problems.append(
            f"{listing.strays} files do not follow the layout and are not loaded, for example {listing.stray!r}; "
            "correct `layout`, or move them"
        )
    return known, listing, outlook


def _foreseen(run: Run, known: Tables, outlook: _Outlook) -> Tables:
    """Add what one load would do; return the tables as they would be after it."""
    schema, manifest = run.edges.settings.schema, shredded(run, known)
    wanted = with_profiles(settled(known, manifest.tables, max_columns=run.edges.policy.max_columns))
    evidence = Evidence(run, manifest)
    for change in changes(known, wanted, manifest.tables):
        outlook.changes += _planned(schema, change, evidence)
    outlook.renamed |= dict.fromkeys(_renamed(schema, manifest, wanted))
    for name, report in manifest.tables.items():
        outlook.tables[f"{schema}.{name}"] += sum(part.rows for part in report.parts)
    outlook.events += manifest.total.events
    _add_bad_input(run, manifest, outlook)
    return {**known, **wanted}


def _planned(schema: str, change: Change, evidence: Evidence) -> Iterator[PlannedChange]:
    table, cause = f"{schema}.{change.table}", evidence.cause(change)
    match change:
        case CreateTable(_, columns):
            yield PlannedChange("create", table, None, None, cause)
            report = evidence.report(change.table)
            system = system_columns(CALLS[report.call])
            for name in (each for each in columns if each not in system):
                because, kind = evidence.cause(change, name), columns[name].type.value
                spelled = report.columns[name].spelled if name in report.columns else ()
                yield PlannedChange("add", table, name, kind, because, spelled)
        case AddColumn(_, name, kind, found):
            yield PlannedChange("add", table, name, kind.value, cause, found.spelled)
        case WidenColumn(_, name, old, new):
            yield PlannedChange("widen", table, name, f"{old.value} to {new.value}", cause)
        case _:
            assert_never(change)


def _renamed(schema: str, manifest: Manifest, wanted: Tables) -> Iterator[tuple[str, str, str]]:
    """Yield table, path as sent and column where the column is not the path's keys joined with `_`.

    A context column is named once, in the table that decides about it.
    """
    for table, report in sorted(manifest.tables.items()):
        shared = family(table, report.call) != table
        for name, found in sorted(report.columns.items()):
            if name in wanted[table] and not (shared and name.startswith(CONTEXT_PREFIX)):
                yield from ((f"{schema}.{table}", path, name) for path in found.spelled if _plain(path) != name)


def _plain(path: str) -> str:
    root, _, below = path.partition(".")
    return (path if root == "context" or not below else below).replace(".", "_")


def _add_bad_input(run: Run, manifest: Manifest, outlook: _Outlook) -> None:
    for key in manifest.quarantine:
        outlook.quarantined.update(_column(run, key, "reason"))
    for key, voided in manifest.rejects:
        outlook.rejects += sum(table not in voided for table in _column(run, key, "table_name"))
    for bad in manifest.bad_files:
        outlook.problems.append(f"{run.load.arrivals[bad.file].file.key}: {bad.reason}: {bad.message}")


def _column(run: Run, key: str, name: str) -> list[str]:
    data = pa.BufferReader(load_bytes(run.edges.staging, key))
    found: list[str] = pq.read_table(data, columns=[name])[name].to_pylist()
    return found


def _result(edges: Edges, planned: list[PlannedLoad], outlook: _Outlook) -> PlanResult:
    return PlanResult(
        edges.source,
        sum(len(each.arrivals) for each in planned),
        sum(each.stored_bytes for each in planned),
        len(planned),
        outlook.events,
        tuple(sorted(outlook.tables.items(), key=lambda each: (-each[1], each[0]))),
        tuple(outlook.changes),
        tuple(outlook.renamed),
        tuple(sorted(outlook.quarantined.items(), key=lambda each: (-each[1], each[0]))),
        outlook.rejects,
        tuple(outlook.problems),
    )
