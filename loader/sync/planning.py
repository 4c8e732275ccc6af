"""The plan of a run: made in the warehouse, frozen there, and told to a person."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from loader.core import diff
from loader.core.audience import Member, Op, Refused
from loader.core.batches import packed
from loader.core.dialect import Dialect, literal
from loader.core.mapping import encoded, identifiers, mapped, removal
from loader.core.types import ColumnType
from loader.core.warehouse import Row, Session
from loader.ledger import syncs as ledger
from loader.sync.audience import audience, suppressed
from loader.sync.edges import Edges

REMOVALS, OTHERS = 0, 1  # phases of a plan
_PREVIEWS, _MAX_LOGGED = 2, 10_000
_MAX_ROW_BYTES = 4_000_000  # of a row's mapped columns as text, however much the tool takes


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line adds to the settings."""

    resync: bool = False
    retry: str | None = None


@dataclass(frozen=True, slots=True)
class Frozen:
    """A plan in the warehouse, and its numbers."""

    run_id: str
    counts: Mapping[str, int]  # columns of sync_runs
    why: Mapping[str, int]
    invalid: Mapping[str, int]
    state: str  # planned, or needs_approval
    notes: tuple[str, ...]

    @property
    def table(self) -> str:
        return table(self.run_id)


def table(run_id: str) -> str:
    """Return the name of the table of a run's plan."""
    return f"loader.sync_plan_{run_id}"


def frozen(session: Session, edges: Edges, wanted: Wanted) -> Frozen:
    """Plan a run and freeze the plan; plans that were made before and not run are dropped.

    Raises ConfigError for an audience that may not be run, WarehouseError for one that cannot.
    """
    dialect = session.dialect
    for old in ledger.runs(session, sync=edges.name, states=("planned", "needs_approval")):
        ledger.move(session, old.run_id, "superseded")
        session.execute(f"DROP TABLE IF EXISTS {table(old.run_id)}")
    run_id, now = uuid.uuid4().hex[:12], datetime.now(UTC)
    asked = _asked(dialect, edges, wanted, run_id)
    for each in (diff.CURRENT, diff.TWICE, diff.WORK):
        session.execute(f"DROP TABLE IF EXISTS {each}")
    session.execute(diff.current(dialect, asked))
    session.execute(diff.twice())
    session.execute(diff.work(dialect, asked, refresh_before=_refresh(dialect, edges, now)), [edges.name] * 2)
    session.execute(diff.plan(dialect, asked, table(run_id)), [edges.name])
    invalid = _invalid(session)
    counts, why = _counts(session, edges, run_id, invalid)
    state, notes = _judged(session, edges, counts)
    ledger.begin(
        session, (run_id, edges.name, edges.sync.destination, edges.sync.mode, state, edges.mapping, now), counts
    )
    _log_invalid(session, edges, run_id, now)
    if edges.sync.holdout:
        session.execute(diff.held_out(dialect), [edges.name, run_id, now, edges.name])
    for each in (diff.CURRENT, diff.TWICE, diff.WORK):
        session.execute(f"DROP TABLE {each}")
    return Frozen(run_id, counts, why, invalid, state, notes)


def first_sync(edges: Edges) -> str:
    """Return what becomes of the rows of the next run: `first_sync` as it is set, until the ledger knows somebody."""
    query = "SELECT 1 FROM loader.sync_ledger WHERE sync = ? AND state <> 'held_out' LIMIT 1"
    return "send_all" if edges.door.rows(query, [edges.name]) else edges.sync.first_sync


def _asked(dialect: Dialect, edges: Edges, wanted: Wanted, run_id: str) -> diff.Asked:
    return diff.Asked(
        sync=edges.name,
        run=run_id,
        mapping=edges.mapping,
        audience=audience(dialect, edges.name, edges.sync),
        key=edges.sync.key,
        columns=edges.columns,
        identity=edges.identity,
        mode=edges.mode,
        max_row_bytes=min(_MAX_ROW_BYTES, 4 * edges.limits.row_bytes),
        suppress=suppressed(dialect, edges.name, edges.sync),
        holdout=edges.sync.holdout,
        resync=wanted.resync,
        retry=wanted.retry,
    )


def _refresh(dialect: Dialect, edges: Edges, now: datetime) -> str | None:
    if not edges.sync.refresh_days:
        return None
    text = literal(dialect, str(now - timedelta(days=edges.sync.refresh_days)))
    return dialect.timestamp.format(text=text)


def _invalid(session: Session) -> dict[str, int]:
    """Return why → rows that the plan leaves out."""
    found = session.execute(
        f"SELECT state, count(*) FROM {diff.CURRENT} WHERE state <> '' GROUP BY state ORDER BY state"
    )
    repeated = session.execute(f"SELECT coalesce(sum(times), 0) FROM {diff.TWICE}")
    return {**diff.counts([(row[0], row[1]) for row in found]), "duplicate_key": int(repeated[0][0])}


def _counts(
    session: Session, edges: Edges, run_id: str, invalid: Mapping[str, int]
) -> tuple[dict[str, int], dict[str, int]]:
    rows = session.execute(f"SELECT op, why, count(*) FROM {table(run_id)} GROUP BY op, why")
    ops, why = dict.fromkeys(("add", "change", "remove", "replace"), 0), dict[str, int]()
    for op, reason, number in rows:
        ops[op] += int(number)
        if op != "replace":
            why[reason] = why.get(reason, 0) + int(number)
    audience_rows = int(session.execute(f"SELECT count(*) FROM {diff.CURRENT}")[0][0])
    skipped = session.execute(
        f"SELECT count(*) FROM {diff.LEDGER} AS l JOIN {diff.CURRENT} AS c ON c.row_key = l.row_key "
        "WHERE l.sync = ? AND c.state = '' AND l.state IN ('rejected', 'dead', 'unknown') "
        f"AND l.row_key NOT IN (SELECT row_key FROM {table(run_id)})",
        [edges.name],
    )
    counts = {
        "audience_rows": audience_rows,
        **{name: ops[op] for name, op in (("adds", "add"), ("changes", "change"), ("removes", "remove"))},
        "replaces": ops["replace"],
        "skipped": int(skipped[0][0]),
        "invalid": sum(invalid.get(name, 0) for name in ("null_key", "duplicate_key", "too_large")),
        "suppressed": invalid.get("suppressed", 0),
        "held_out": invalid.get("held_out", 0),
    }
    return counts, why


def _judged(session: Session, edges: Edges, counts: Mapping[str, int]) -> tuple[str, tuple[str, ...]]:
    """Return the state of the plan, and what a person should know."""
    guard, notes = edges.sync.guard, list[str]()
    held = session.execute(f"SELECT count(*) FROM {diff.LEDGER} WHERE sync = ? AND idents IS NOT NULL", [edges.name])
    most = max(guard.free_removals, int(guard.max_removals * int(held[0][0])))
    if not counts["audience_rows"] and not guard.allow_empty:
        notes.append("the audience is empty; if that is right, set `allow_empty = true` in guard, or approve this run")
    if counts["removes"] > most:
        share = f"{counts['removes']:,} of {int(held[0][0]):,} members would be removed"
        notes.append(f"{share}, and the guard allows {most:,}; approve this run if that is right")
    return ("needs_approval" if notes and counts["removes"] else "planned"), tuple(notes)


def _log_invalid(session: Session, edges: Edges, run_id: str, now: datetime) -> None:
    names = "run_id, sync, row_key, op, state, code, message, seq, entry, attempts, logged_at"
    text = f"CAST(? AS {session.dialect.types[ColumnType.STRING]})"
    head, where = f"INSERT INTO loader.sync_rows ({names}) SELECT {text}, {text}", [run_id, edges.name]
    times = session.dialect.text.format(value="times")
    session.execute(
        f"{head}, row_key, 'none', 'invalid', 'duplicate_key', "
        f"{times} || ' rows have this key', 0, 0, 0, ? FROM {diff.TWICE} LIMIT {_MAX_LOGGED}",
        [*where, now],
    )
    session.execute(
        f"{head}, row_key, 'none', 'invalid', state, "
        f"'', 0, 0, 0, ? FROM {diff.CURRENT} WHERE state IN ('null_key', 'too_large') LIMIT {_MAX_LOGGED}",
        [*where, now],
    )


class Encoder:
    """Rows of a plan → members, for one sync."""

    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._mapped = mapped(edges.tool, edges.sync.fields, edges.columns, edges.sync.prehashed)

    def fields(self, row: Row) -> dict[str, Any] | Refused:
        """Return the tool's fields of a row of the plan."""
        return self._mapped(row[len(diff.PLAN) :])

    def removal(self, key: str, idents: dict[str, Any], version: str, remote_id: str | None) -> Member | Refused:
        """Return somebody who leaves."""
        return encoded(self._edges.tool, self._edges.endpoint.own, removal(key, idents, version, remote_id))

    def member(self, key: str, op: Op, fields: dict[str, Any], version: str, remote_id: str | None) -> Member | Refused:
        """Return somebody who is sent."""
        return encoded(self._edges.tool, self._edges.endpoint.own, Member(key, op, fields, version, remote_id))

    def identifiers(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the identifiers among fields, as they are sent."""
        return identifiers(self._edges.tool, self._edges.endpoint.own, fields)

    def batches(self, members: Iterator[Member]) -> Iterator[tuple[Member, ...]]:
        """Yield members in batches within the limits."""
        tool, own = self._edges.tool, self._edges.endpoint.own
        return packed(members, self._edges.limits, lambda member: tool.envelope(own, member), tool.identity)
