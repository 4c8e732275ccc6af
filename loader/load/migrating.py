"""What a load found → the tables of the warehouse, changed so that they hold it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from loader.core import ddl
from loader.core.dialect import Dialect
from loader.core.objects import load_bytes
from loader.core.report import Found
from loader.core.schema import AddColumn, Change, CreateTable, Tables, changes, settled, with_profiles
from loader.core.spec import PROFILES, TRACKS
from loader.core.warehouse import Warehouse
from loader.ledger import loads as ledger
from loader.ledger import notes
from loader.load.leasing import Lease
from loader.load.runs import Manifest, Run


def known_tables(opened: Warehouse, schema: str) -> Tables:
    """Return a schema's tables as they are, with what their history adds."""
    with opened.session() as session:
        big = notes.big_columns(session, schema)
    return notes.known_tables(opened.describe(schema), big)


def migrated(run: Run, manifest: Manifest, opened: Warehouse) -> tuple[tuple[str, ...], Tables]:
    """Bring the tables to the schema that the load needs; return the changes in words, and the tables.

    Called twice, what is there already is no change.
    """
    schema, dialect = run.edges.settings.schema, opened.dialect
    known = repaired(opened, run.lease, schema)
    wanted = with_profiles(settled(known, manifest.tables, max_columns=run.edges.policy.max_columns))
    needed = changes(known, wanted, manifest.tables)
    now = datetime.now(UTC)
    said = _said(run, manifest, dialect, needed, now)
    steps = list(ddl.steps(dialect, schema, needed, said))
    with opened.session() as session:
        run.lease.check(session)
        if needed:
            session.execute(ddl.create_schema(dialect, schema))
        for sql in (sql for step in steps for sql in step.statements):
            session.execute(sql)
        for sql in ddl.comments(dialect, schema, said):
            session.execute(sql)
        notes.note_changes(session, schema, steps, run.load, now)
        notes.note_big(session, schema, known, wanted, run.load.load_id, now)
        ledger.move(session, run.load.load_id, "migrated")
    return tuple(ddl.sentence(schema, change) for change in needed), {**known, **wanted}


def _said(run: Run, manifest: Manifest, dialect: Dialect, needed: Sequence[Change], now: datetime) -> ddl.Said:
    """Return what is said of what is new, where the warehouse keeps that: as sent, since when, by which load."""
    if not dialect.comment_table and not dialect.described:
        return {}
    since = f"first seen {now:%Y-%m-%d %H:%M} UTC, load {run.load.load_id}"
    said: dict[tuple[str, str], str] = {}
    for change in needed:
        match change:
            case CreateTable(table, columns, found):
                said[table, ""] = f"{_what(run, manifest, table)}; {since}"
                sent = ((name, each) for name, each in found.items() if each.spelled and name in columns)
                said |= {(table, name): _sent(each, since) for name, each in sent}
            case AddColumn(table, column, _, each):
                said[table, column] = _sent(each, since)
    return said


def _sent(found: Found, since: str) -> str:
    return f"sent as {', '.join(found.spelled)}; {since}" if found.spelled else since


def _what(run: Run, manifest: Manifest, table: str) -> str:
    """Return what a table holds: of a table of track events the event's name as it was sent."""
    if table in PROFILES:
        return f"the newest values of {PROFILES[table][0]}, one row for each {PROFILES[table][1]}"
    report = manifest.tables[table]
    if report.call != "track" or table == TRACKS:
        return f"{report.call} calls"
    import pyarrow as pa  # here, so that a run that finds nothing to do goes without it
    import pyarrow.parquet as pq

    part = load_bytes(run.edges.staging, report.parts[0].key) if report.parts else None
    names = pq.read_table(pa.BufferReader(part), columns=["event_text"])["event_text"] if part else []
    return f"event {str(names[0])!r}" if len(names) else "events"


def repaired(opened: Warehouse, lease: Lease, schema: str) -> Tables:
    """Return a schema's tables as they are, after ending what a crash left of a widening where DDL commits."""
    known = known_tables(opened, schema)
    repairs = ddl.repairs(opened.dialect, schema, known)
    if not repairs:
        return known
    with opened.session() as session:
        lease.check(session)
        for sql in repairs:
            session.execute(sql)
    return known_tables(opened, schema)
