"""The tables that syncs keep: the runs, a log of rows, and what each tool was told last."""

from collections.abc import Mapping

from loader.core.schema import Column, Columns
from loader.core.types import ColumnType

_TEXT, _INTEGER, _TIME = Column(ColumnType.STRING), Column(ColumnType.INTEGER), Column(ColumnType.TIMESTAMP)

SYNC_TABLES: Mapping[str, Columns] = {
    # One row per run.
    "sync_runs": {
        # planned, needs_approval, sending, waiting (for jobs), success, partial, failed, superseded
        **dict.fromkeys(("run_id", "sync", "destination", "mode", "state", "mapping"), _TEXT),
        **dict.fromkeys(("audience_rows", "adds", "changes", "removes", "replaces", "skipped", "invalid"), _INTEGER),
        **dict.fromkeys(("suppressed", "held_out"), _INTEGER),
        **dict.fromkeys(("confirmed", "removed", "rejected", "failed", "unknown", "open", "requests"), _INTEGER),
        **dict.fromkeys(("planned_at", "started_at", "finished_at"), _TIME),
        "error": _TEXT,
    },
    # What happened to a row in a run, in the order of `entry`; only ever added to. The last entry counts.
    "sync_rows": {
        **dict.fromkeys(("run_id", "sync", "row_key", "op", "state", "code", "message"), _TEXT),
        **dict.fromkeys(("seq", "entry", "attempts"), _INTEGER),
        **dict.fromkeys(("row_hash", "ident_source", "ident_hash", "idents", "version"), _TEXT),
        **dict.fromkeys(("remote_id", "job"), _TEXT),
        "logged_at": _TIME,
    },
    # One row per sync and key: what the tool has (row_hash, idents as sent), and what it did not take (pending_hash).
    "sync_ledger": {
        **dict.fromkeys(("sync", "row_key", "state", "op", "row_hash", "pending_hash"), _TEXT),
        **dict.fromkeys(("ident_source", "ident_hash", "idents", "remote_id", "version", "code", "message"), _TEXT),
        "run_id": _TEXT,
        "attempts": _INTEGER,
        **dict.fromkeys(("sent_at", "changed_at"), _TIME),
    },
    # Jobs that a tool works on.
    "sync_jobs": {
        **dict.fromkeys(("job", "run_id", "sync", "state", "remote_job", "notes", "mode", "batch_key"), _TEXT),
        **dict.fromkeys(("begun_at", "check_at"), _TIME),
    },
}
