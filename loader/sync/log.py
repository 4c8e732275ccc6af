"""The log of a run: what became of each row, written to the warehouse a few thousand at a time. A row is done when it
is written there, and not before.
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from loader.core.audience import Accepted, Failed, Outcome, Rejected, Unknown
from loader.core.warehouse import Row, Session
from loader.delivery.delivering import Working
from loader.ledger import syncs as ledger
from loader.sync.edges import Edges

_FLUSH_ROWS, _FLUSH_SECONDS = 10_000, 3.0


class Place(NamedTuple):
    """A row of the plan on its way, with the identifiers that it is sent under as JSON."""

    seq: int
    row_key: str
    op: str
    row_hash: str | None
    ident_source: str | None
    version: str
    attempts: int
    idents: str | None
    ident_hash: str | None
    remote_id: str | None


class Log:
    """The log of one run. Only one thread uses it."""

    def __init__(self, edges: Edges, run_id: str) -> None:
        self._edges, self.run_id = edges, run_id
        self._entries: list[Row] = []
        self._jobs: list[Row] = []
        self._entry = time.time_ns()  # later runs continue with higher numbers
        self._flushed_at = time.monotonic()

    def settled(self, place: Place, outcome: Outcome, job: str | None = None) -> None:
        """Note an outcome."""
        match outcome:
            case Accepted(_, remote_id):
                state = "removed" if place.op in ("remove", "replace") else "confirmed"
                self.note(place, state, remote_id=remote_id or place.remote_id, job=job)
            case Rejected(_, code, message):
                self.note(place, "rejected", code, message, job=job)
            case Failed(_, code, message, whole):
                self.note(place._replace(attempts=place.attempts + (not whole)), "retry", code, message, job=job)
            case Unknown(_, code, message):
                self.note(place, "unknown", code, message, job=job)

    def note(
        self,
        place: Place,
        state: str,
        code: str | None = None,
        message: str | None = None,
        *,
        remote_id: str | None = None,
        job: str | None = None,
    ) -> None:
        """Note that a row is in a state."""
        self._entry += 1
        self._entries.append(
            (
                *(self.run_id, self._edges.name, place.seq, self._entry, place.row_key, place.op, state, code, message),
                *(place.attempts, place.row_hash, place.ident_source, place.ident_hash, place.idents, place.version),
                *(remote_id or place.remote_id, job, datetime.now(UTC)),
            )
        )

    def begin_job(self, working: Working, places: Sequence[Place]) -> None:
        """Note a job and its rows, at once: from here on it survives a crash."""
        name, now = f"{working.batch.key}.{self._entry}", datetime.now(UTC)
        for place in places:
            self.note(place, "sent", job=name)
        notes, mode = json.dumps(dict(working.job.notes)), working.batch.mode.value
        row = (name, self.run_id, self._edges.name, working.job.id, notes, mode, working.batch.key, now, now)
        self._jobs.append(row)
        self.flush()

    def flush_when_due(self) -> None:
        """Write, if there is much or it is old."""
        if len(self._entries) >= _FLUSH_ROWS or time.monotonic() - self._flushed_at >= _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is noted. What is written twice, because an answer was lost, counts once."""
        if self._entries or self._jobs:
            self._edges.door.run(self._write)
            self._entries, self._jobs = [], []
        self._flushed_at = time.monotonic()

    def _write(self, inside: Session) -> None:
        ledger.log(inside, self._entries)
        for job in self._jobs:
            ledger.begin_job(inside, job)


def spelled(idents: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return identifiers as JSON, and a hash of it; None where the tool knows rows by the sync's key."""
    if not idents:
        return "{}", None
    text = msgspec.json.encode(idents, order="sorted")
    return text.decode(), hashlib.sha256(text).hexdigest()[:32]
