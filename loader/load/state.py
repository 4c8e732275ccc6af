"""How the sources stand, and what is in the warehouse. Nothing here writes."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from loader.config import Config
from loader.core.dialect import quoted
from loader.core.plan import Arrival
from loader.core.results import SourceStatus, Status, TableLine, Window
from loader.core.schema import Column
from loader.core.spec import CALLS, TRACKS
from loader.core.types import ColumnType
from loader.core.warehouse import Session, Warehouse
from loader.errors import StorageError
from loader.ledger import leases, summaries
from loader.load.edges import Edges
from loader.load.listing import pending
from loader.load.reading import apart, reading

_LOADS = 100  # of the history
_RECEIVED_AT = "received_at"
_EVENTS = (TRACKS, *(call.table for call in CALLS.values() if call.table))


def status(config: Config) -> Status:
    """Return how every source stands, the latest loads, and whether all events are accounted for.

    Lists each source; one that cannot be listed says why.
    """
    now = datetime.now(UTC)
    with reading(config) as (opened, asked), asked.session() as session:
        sources = []
        for source in config.sources:
            with apart(config, source) as edges:
                sources.append(_source(edges, opened, session, now))
        events, unaccounted = summaries.balance(session)
        return Status(tuple(sources), tuple(summaries.latest_loads(session, _LOADS)), events, unaccounted)


def tables(config: Config) -> list[TableLine]:
    """Return every table of every source, with its exact number of rows, by schema and name."""
    lines: list[TableLine] = []
    with reading(config) as (opened, _), opened.session() as session:
        for schema in sorted(settings.schema for settings in config.sources.values()):
            for table, columns in sorted(opened.describe(schema).items()):
                dated = columns.get(_RECEIVED_AT) == Column(ColumnType.TIMESTAMP)
                newest = f"max({_RECEIVED_AT})" if dated else "NULL"
                name = quoted(opened.dialect, schema, table)
                rows, received_at = session.execute(f"SELECT count(*), {newest} FROM {name} AS t")[0]
                spelled = tuple((column, each.type.value) for column, each in columns.items())
                lines.append(TableLine(schema, table, rows, received_at, spelled))
    return lines


def _source(edges: Edges, opened: Warehouse, session: Session, now: datetime) -> SourceStatus:
    waiting, problem = _waiting(edges, session)
    newest = _newest(opened, edges.settings.schema, _EVENTS)
    return SourceStatus(
        edges.source,
        edges.settings.schema,
        len(waiting),
        sum(each.file.size for each in waiting),
        summaries.last_finished(session, edges.source),
        newest,
        None if newest is None else max((now - newest).total_seconds(), 0.0),
        summaries.open_errors(session, edges.source),
        leases.held(session, edges.source, now=now),
        problem,
    )


def _waiting(edges: Edges, session: Session) -> tuple[Sequence[Arrival], str]:
    """Return the files that wait, and why they cannot be listed, or ""."""
    try:
        return pending(edges, session, Window()).arrivals, ""
    except StorageError as error:
        return (), str(error)


def _newest(opened: Warehouse, schema: str, tables: Iterable[str]) -> datetime | None:
    """Return the newest `received_at` of some tables of a schema, as far as they are there."""
    there = opened.describe(schema)
    with opened.session() as session:
        found = [
            session.execute(f"SELECT max({_RECEIVED_AT}) FROM {quoted(opened.dialect, schema, table)} AS t")[0][0]
            for table in tables
            if table in there
        ]
    return max((each for each in found if each is not None), default=None)
