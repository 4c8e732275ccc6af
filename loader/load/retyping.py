"""A column gets a wider type, keeps what is in it, and gets back what it could not hold before.

One transaction: the column, its copies in other tables, the values put back, and the history, or nothing. Where DDL
commits, what was cut short is ended by the next try, or by the next load.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from loader.config import Config
from loader.config.reading import nearest
from loader.core import ddl, merge
from loader.core.dialect import Dialect, quoted
from loader.core.results import Retyped
from loader.core.schema import OVERFLOW_COLUMNS, Column, Tables, family
from loader.core.spec import BUILT_IN, CALLS, CONTEXT_PREFIX, PROFILES, TRACKS, Call, system_columns
from loader.core.types import ColumnType
from loader.core.warehouse import Session, Warehouse
from loader.errors import ConfigError
from loader.ledger import notes
from loader.load.edges import open_edges, warehouse
from loader.load.leasing import Lease, leased
from loader.load.migrating import repaired
from loader.load.reading import reading
from loader.load.restoring import Restoring, left, resolve, resolved, restore
from loader.load.retrying import retried

_TEXTS = (ColumnType.STRING, ColumnType.JSON)
_SHOWN = 20  # names in an error


class Quiet:
    """A progress for work that is too short to tell of."""

    def step(self, name: str, *, total: int | None, unit: str) -> None:
        """Say nothing."""

    def advance(self, amount: int, *, events: int = 0) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class Target:
    """The column to be retyped, wherever it is."""

    schema: str
    table: str
    name: str
    old: ColumnType
    new: ColumnType
    tables: tuple[str, ...]  # those with rejects of their own
    copies: tuple[str, ...]  # `tracks`, of which the event tables hold the same context columns
    profile: str | None  # `users` or `accounts`, where they have the column

    @property
    def holders(self) -> tuple[str, ...]:
        """All tables that have the column."""
        return (*self.tables, *self.copies, *((self.profile,) if self.profile else ()))


def retype(config: Config, table: str, column: str, type: str) -> Retyped:
    """Widen a column of `table` (schema.table) and put back the rejects that it holds then; nothing is ever lost.

    A context column of events changes in `tracks` and every event table, one of `identifies` or `groups` in `users`
    or `accounts` too. Called twice, the column has the type already, and only rejects that came since are put back.
    ConfigError says what is possible; LeaseError and WarehouseLockedError name who is in the way.
    """
    schema, _, name = table.partition(".")
    source = _source(config, schema)
    wanted = _type(type)
    with reading(config) as (opened, asked), asked.session() as session:  # what is wrong is told before any wait
        _target(_known(opened, session, schema), schema, name, column, wanted)
    edges = open_edges(config, source)
    with leased(edges, Quiet()) as lease, warehouse(config, staging=edges.staging) as opened:
        known = retried(partial(repaired, opened, lease, schema))
        target = _target(known, schema, name, column, wanted)
        work = partial(_retyped, opened, lease, target, now=datetime.now(UTC))
        return retried(work, again=partial(_retyped_again, opened, work, target))


def wider(column: Column) -> tuple[ColumnType, ...]:
    """Return the types that lose nothing of a column, narrowest first.

    >>> [kind.value for kind in wider(Column(ColumnType.INTEGER))]
    ['double', 'string', 'json']
    """
    match column.type:
        case ColumnType.INTEGER if not column.big:
            return (ColumnType.DOUBLE, *_TEXTS)
        case ColumnType.STRING:
            return (ColumnType.JSON,)
        case ColumnType.JSON:
            return ()
        case _:
            return _TEXTS


def call_of(table: str, columns: Iterable[str]) -> Call | None:
    """Return the call whose rows a table holds; None for `users`, `accounts` and what is no table of ours."""
    found = next((call for call in CALLS.values() if call.table == table), None)
    is_event = table == TRACKS or (table not in BUILT_IN and "event_text" in columns)
    return CALLS["track"] if is_event else found


def _retyped(opened: Warehouse, lease: Lease, target: Target, *, now: datetime) -> Retyped:
    known = repaired(opened, lease, target.schema)
    with opened.session() as session:
        held = session.scratch("held", {"value": ColumnType.STRING, "stored": target.new})
        lease.check(session)
        what = _restoring(opened.dialect, target)
        if target.old is not target.new:
            _widened(session, target, known, now)
        restored = restore(session, what, held)
        if target.profile and restored:
            session.execute(_newest(opened.dialect, target, target.profile, what.unresolved))
        resolve(session, what, held, now)
        return _answer(target, restored, left(session, what))


def _retyped_again(opened: Warehouse, work: partial[Retyped], target: Target) -> Retyped:
    """Do as `_retyped` does, unless an earlier try put values back after all, and only its answer was lost."""
    what = _restoring(opened.dialect, target)
    with opened.session() as session:
        if restored := resolved(session, what, work.keywords["now"]):
            return _answer(target, restored, left(session, what))
    return work()


def _widened(session: Session, target: Target, known: Tables, now: datetime) -> None:
    """Give the column its type wherever it is; an earlier try may have done so, where DDL commits."""
    made = {
        place: ddl.widen(session.dialect, place, target.old, target.new)
        for place in ((target.schema, table, target.name) for table in target.holders)
    }
    for (_, table, name), statements in made.items():
        if known[table][name].type is not target.new:
            for sql in statements:
                session.execute(sql)
    for place, statements in made.items():  # after all DDL, so that they come with what is put back
        notes.note_retype(session, place, target.old, target.new, ";\n".join(statements), now)


def _restoring(dialect: Dialect, target: Target) -> Restoring:
    return Restoring(dialect, target.schema, target.tables, target.copies, target.name, target.new)


def _answer(target: Target, restored: int, remaining: int) -> Retyped:
    where, types = f"{target.schema}.{target.table}", (target.old.value, target.new.value)
    return Retyped(where, target.name, *types, restored, remaining)


def _newest(dialect: Dialect, target: Target, profile: str, rejected: str) -> str:
    """Return the statement that gives everyone whose rows got values back the newest value, as a merge would."""
    source, key, _ = PROFILES[profile]
    ours, theirs = quoted(dialect, target.schema, profile), quoted(dialect, target.schema, source)
    name = quoted(dialect, target.name)
    concerned = f"""{key} IN (
    SELECT s.{key} FROM {theirs} AS s WHERE s.id IN (SELECT r.row_id FROM loader.rejects AS r WHERE {rejected})
  )"""
    return f"""
UPDATE {ours} AS p SET {name} = newest.{name}
FROM ({merge.newest(dialect, theirs, key, {target.name: target.new}, concerned)}) AS newest WHERE p.id = newest.id"""


def _known(opened: Warehouse, session: Session, schema: str) -> Tables:
    """Return the tables as they will be when what a crash left of a widening is ended."""
    found = ddl.mended(opened.describe(schema))
    return notes.known_tables(found, notes.big_columns(session, schema))


def _target(known: Tables, schema: str, table: str, column: str, wanted: ColumnType) -> Target:
    """Return what is to be changed. ConfigError where that is not possible, with what is."""
    if table not in known:
        raise ConfigError(f"there is no table {schema}.{table}{nearest(table, known)}; {schema} has {_listed(known)}")
    columns = known[table]
    if table in PROFILES:
        raise ConfigError(f"{schema}.{table} follows {schema}.{PROFILES[table][0]}; retype the column there")
    call = call_of(table, columns)
    if call is None:
        raise ConfigError(f"{schema}.{table} is no table of events, and is left alone")
    free = [name for name in columns if name not in system_columns(call) and name not in OVERFLOW_COLUMNS]
    if column not in free:
        what = "is the loader's own" if column in columns else "is not there"
        raise ConfigError(
            f"{schema}.{table}.{column} {what}{nearest(column, free)}; columns to retype are {_listed(free)}"
        )
    found = columns[column]
    if wanted is not found.type and wanted not in wider(found):
        raise ConfigError(_refusal(f"{schema}.{table}.{column}", found, wanted))
    return _spread(known, call, Target(schema, table, column, found.type, wanted, (table,), (), None))


def _spread(known: Tables, call: Call, target: Target) -> Target:
    """Return the target with all the tables that hold its column."""
    shared = target.name.startswith(CONTEXT_PREFIX) and family(target.table, call.type) == TRACKS
    tables, copies = target.tables, target.copies
    if shared:
        members = [name for name, columns in known.items() if target.name in columns and name != TRACKS]
        tables = tuple(sorted(name for name in members if call_of(name, known[name]) is CALLS["track"]))
        copies = (TRACKS,) if target.name in known.get(TRACKS, {}) else ()
    profile = next((name for name, (source, *_) in PROFILES.items() if source == target.table), None)
    there = profile if profile and target.name in known.get(profile, {}) else None
    return Target(target.schema, target.table, target.name, target.old, target.new, tables, copies, there)


def _refusal(name: str, found: Column, wanted: ColumnType) -> str:
    possible = ", ".join(kind.value for kind in wider(found))
    if not possible:
        return f"{name} is json, which holds everything; no type is wider"
    why = "it holds integers that a double rounds" if found.big and wanted is ColumnType.DOUBLE else "that loses values"
    return f"{name} is {found.type.value} and cannot become {wanted.value}: {why}; possible are {possible}"


def _source(config: Config, schema: str) -> str:
    found = next((name for name, settings in config.sources.items() if settings.schema == schema), None)
    if found is None:
        known = sorted(settings.schema for settings in config.sources.values())
        raise ConfigError(
            f"no source has the schema {schema!r}{nearest(schema, known)}; write schema.table, "
            f"with one of: {_listed(known)}"
        )
    return found


def _type(word: str) -> ColumnType:
    known = [kind.value for kind in ColumnType]
    if word not in known:
        raise ConfigError(f"{word!r} is no type{nearest(word, known)}; types are {', '.join(known)}")
    return ColumnType(word)


def _listed(names: Iterable[str]) -> str:
    found = sorted(names)
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return (", ".join(found[:_SHOWN]) or "none") + more
