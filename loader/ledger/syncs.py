"""Runs of syncs, their rows and jobs, and what each tool was told last."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from loader.core.warehouse import Row, Session

OPEN_STATES = ("sending", "waiting")
_RUN = ("run_id", "sync", "destination", "mode", "state", "mapping", "planned_at")
COUNTS = (
    *("audience_rows", "adds", "changes", "removes", "replaces", "skipped", "invalid", "suppressed", "held_out"),
    *("confirmed", "removed", "rejected", "failed", "unknown", "open", "requests"),
)
ENTRY = (
    *("run_id", "sync", "seq", "entry", "row_key", "op", "state", "code", "message", "attempts", "row_hash"),
    *("ident_source", "ident_hash", "idents", "version", "remote_id", "job", "logged_at"),
)
_LEDGER = (
    *("sync", "row_key", "state", "op", "row_hash", "pending_hash", "ident_source", "ident_hash", "idents"),
    *("remote_id", "version", "code", "message", "run_id", "attempts", "sent_at", "changed_at"),
)


class RunLine(NamedTuple):
    """A run as the ledger has it; counts are by name."""

    run_id: str
    sync: str
    destination: str
    mode: str
    state: str
    mapping: str
    planned_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None
    counts: Mapping[str, int]


def begin(session: Session, run: Sequence[object], counts: Mapping[str, int]) -> None:
    """Write a run: id, sync, destination, mode, state, mapping, planned_at; and the counts of its plan."""
    names = [*_RUN, *counts]
    session.append("loader.sync_runs", names, [(*run, *counts.values())])


def move(session: Session, run_id: str, state: str, **values: object) -> None:
    """Put a run into a state, and write some of its other values."""
    settings = "".join(f", {name} = ?" for name in values)
    session.execute(
        f"UPDATE loader.sync_runs SET state = ?{settings} WHERE run_id = ?", [state, *values.values(), run_id]
    )


def runs(session: Session, *, sync: str | None = None, states: Sequence[str] = (), limit: int = 1000) -> list[RunLine]:
    """Return runs, newest first."""
    chosen, values = ["1 = 1"], list[object]()
    if sync is not None:
        chosen.append("sync = ?")
        values.append(sync)
    if states:
        chosen.append(f"state IN ({', '.join('?' * len(states))})")
        values += states
    names = ", ".join([*_RUN, "started_at", "finished_at", "error", *(f"coalesce({name}, 0)" for name in COUNTS)])
    found = session.execute(
        f"SELECT {names} FROM loader.sync_runs WHERE {' AND '.join(chosen)} "
        f"ORDER BY planned_at DESC, run_id LIMIT {int(limit)}",
        values,
    )
    return [RunLine._make([*row[:10], dict(zip(COUNTS, map(int, row[10:]), strict=True))]) for row in found]


def run(session: Session, run_id: str) -> RunLine | None:
    """Return a run by its id, or None."""
    found = session.execute("SELECT sync FROM loader.sync_runs WHERE run_id = ?", [run_id])
    return next((each for each in runs(session, sync=found[0][0]) if each.run_id == run_id), None) if found else None


def log(session: Session, entries: Sequence[Row]) -> None:
    """Add entries (columns ENTRY) to the log. This is the commit point of a row."""
    session.append("loader.sync_rows", ENTRY, entries)


def begin_job(session: Session, job: Row) -> None:
    """Write a job: name, run, sync, the tool's id, notes, mode, batch key, begun and next check."""
    names = ("job", "run_id", "sync", "remote_job", "notes", "mode", "batch_key", "begun_at", "check_at", "state")
    session.append("loader.sync_jobs", names, [(*job, "open")])


def wait_job(session: Session, job: str, remote_job: str, notes: Mapping[str, str], check_at: datetime) -> None:
    """Write when to ask for a job again, and under which id."""
    session.execute(
        "UPDATE loader.sync_jobs SET remote_job = ?, notes = ?, check_at = ? WHERE job = ?",
        [remote_job, json.dumps(dict(notes)), check_at, job],
    )


def end_job(session: Session, job: str) -> None:
    """Write that a job is done."""
    session.execute("UPDATE loader.sync_jobs SET state = 'done' WHERE job = ?", [job])


def open_jobs(session: Session, sync: str) -> list[Row]:
    """Return the sync's open jobs: job, run, the tool's id, notes, mode, batch key, begun, next check."""
    return session.execute(
        "SELECT job, run_id, remote_job, notes, mode, batch_key, begun_at, check_at FROM loader.sync_jobs "
        "WHERE sync = ? AND state = 'open' ORDER BY begun_at, job",
        [sync],
    )


def job_rows(session: Session, run_id: str, job: str) -> list[dict[str, Any]]:
    """Return the log entries of a job's rows, in the order in which they were sent."""
    found = session.execute(
        f"SELECT {', '.join(ENTRY)} FROM loader.sync_rows "
        "WHERE run_id = ? AND job = ? AND state = 'sent' ORDER BY entry",
        [run_id, job],
    )
    return [dict(zip(ENTRY, row, strict=True)) for row in found]


def sums(session: Session, run_id: str) -> dict[str, int]:
    """Return state → rows of a run, each row once, by its last entry."""
    found = session.execute(f"SELECT state, count(*) FROM ({_LAST}) AS last GROUP BY state", [run_id])
    return {state: int(number) for state, number in found}


def stored(session: Session, run_id: str) -> dict[str, int]:
    """Return remote id → rows that the tool took under it."""
    found = session.execute(
        f"SELECT remote_id, count(*) FROM ({_LAST}) AS last "
        "WHERE state IN ('confirmed', 'removed') AND remote_id IS NOT NULL GROUP BY remote_id ORDER BY remote_id",
        [run_id],
    )
    return {name: int(number) for name, number in found}


# The last entry of each place in a run; and of each key, with whether it was removed under an old identifier.
_LAST = """
SELECT * FROM (
  SELECT *, row_number() OVER (PARTITION BY seq ORDER BY entry DESC) AS turn
  FROM loader.sync_rows WHERE run_id = ? AND state <> 'invalid'
) AS turns WHERE turn = 1"""


def unfinished(session: Session, run_id: str) -> list[dict[str, Any]]:
    """Return the entries of rows that were being sent when the process died, and of which nobody knows more."""
    found = session.execute(f"SELECT {', '.join(ENTRY)} FROM ({_LAST}) AS last WHERE state = 'sending'", [run_id])
    return [dict(zip(ENTRY, row, strict=True)) for row in found]


def unremoved(session: Session, run_id: str) -> set[str]:
    """Return the keys that are not removed under their old identifier, though they should be."""
    found = session.execute(
        f"SELECT row_key FROM ({_LAST}) AS last WHERE op = 'replace' AND state <> 'removed'", [run_id]
    )
    return {key for (key,) in found}


def fold(session: Session, sync: str, run_id: str, *, max_attempts: int) -> None:
    """Bring the ledger up to date with the log of a run. Twice is the same as once."""
    session.execute("DROP TABLE IF EXISTS sync_folded")
    session.execute(_FOLDED.format(max_attempts=int(max_attempts)), [run_id, sync])
    session.execute(
        "DELETE FROM loader.sync_ledger WHERE sync = ? AND row_key IN (SELECT row_key FROM sync_folded)", [sync]
    )
    names = ", ".join(_LEDGER)
    session.execute(f"INSERT INTO loader.sync_ledger ({names}) SELECT {names} FROM sync_folded")
    session.execute("DROP TABLE sync_folded")


# Confirmed: the tool has this version. Removed: it has none. Else it has what it had before, unless that was removed
# under an old identifier; and under the identifiers just sent it may have something, so they are kept for a removal.
_FOLDED = f"""
CREATE TEMP TABLE sync_folded AS
SELECT f.sync, f.row_key,
  CASE WHEN f.state = 'retry' AND f.attempts >= {{max_attempts}} THEN 'dead'
    WHEN f.state = 'sending' THEN 'retry' WHEN f.op = 'replace' AND f.state = 'removed' THEN 'removed'
    ELSE f.state END AS state,
  f.op,
  CASE WHEN f.state = 'confirmed' THEN f.row_hash WHEN f.state = 'removed' OR f.replaced = 1 THEN NULL
    ELSE l.row_hash END AS row_hash,
  CASE WHEN f.state IN ('confirmed', 'removed') THEN NULL ELSE f.row_hash END AS pending_hash,
  CASE WHEN f.keeps = 1 THEN l.ident_source ELSE f.ident_source END AS ident_source,
  CASE WHEN f.state = 'removed' OR f.nothing = 1 THEN NULL WHEN f.keeps = 1 THEN l.ident_hash
    ELSE f.ident_hash END AS ident_hash,
  CASE WHEN f.state = 'removed' OR f.nothing = 1 THEN NULL WHEN f.keeps = 1 THEN l.idents ELSE f.idents END AS idents,
  coalesce(f.remote_id, CASE WHEN f.state = 'removed' THEN NULL ELSE l.remote_id END) AS remote_id,
  f.version, f.code, f.message, f.run_id, CASE WHEN f.state = 'confirmed' THEN 0 ELSE f.attempts END AS attempts,
  CASE WHEN f.state = 'confirmed' THEN f.logged_at ELSE l.sent_at END AS sent_at, f.logged_at AS changed_at
FROM (
  SELECT *, CASE WHEN op IN ('remove', 'replace') OR (state = 'rejected' AND replaced = 0) OR code = 'not_removed'
    THEN 1 ELSE 0 END AS keeps,
    CASE WHEN state = 'rejected' AND replaced = 1 THEN 1 ELSE 0 END AS nothing
  FROM (
    SELECT *, row_number() OVER (PARTITION BY row_key ORDER BY seq DESC) AS place,
      max(CASE WHEN op = 'replace' AND state = 'removed' THEN 1 ELSE 0 END) OVER (PARTITION BY row_key) AS replaced
    FROM ({_LAST}) AS last
  ) AS places WHERE place = 1
) AS f
LEFT JOIN (SELECT * FROM loader.sync_ledger WHERE sync = ?) AS l ON l.row_key = f.row_key"""


def reasons(session: Session, run_id: str, limit: int) -> list[Row]:
    """Return state, code, rows, and message and key of one of them: why rows did not arrive, most first."""
    return session.execute(
        f"""
SELECT state, coalesce(code, ''), count(*), coalesce(min(message), ''), coalesce(min(row_key), '') FROM (
{_LAST}
UNION ALL SELECT *, 1 AS turn FROM loader.sync_rows WHERE run_id = ? AND state = 'invalid'
) AS last WHERE state NOT IN ('confirmed', 'removed') GROUP BY state, code
ORDER BY count(*) DESC, state, code LIMIT {int(limit)}""",
        [run_id, run_id],
    )


def rows(session: Session, run_id: str, limit: int) -> list[Row]:
    """Return key, op, state, code, message and time of a run's rows, those that did not arrive first."""
    return session.execute(
        f"""
SELECT coalesce(row_key, ''), op, state, coalesce(code, ''), coalesce(message, ''), logged_at FROM (
{_LAST}
UNION ALL SELECT *, 1 AS turn FROM loader.sync_rows WHERE run_id = ? AND state = 'invalid'
) AS last ORDER BY CASE WHEN state IN ('confirmed', 'removed') THEN 1 ELSE 0 END, seq, row_key LIMIT {int(limit)}""",
        [run_id, run_id],
    )


def forget(session: Session, sync: str) -> None:
    """Delete all that is known of a sync: its next run is its first."""
    for name in ("sync_ledger", "sync_rows", "sync_jobs", "sync_runs"):
        session.execute(f"DELETE FROM loader.{name} WHERE sync = ?", [sync])
