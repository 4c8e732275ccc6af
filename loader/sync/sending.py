"""A frozen plan on its way to the tool: read in order, encoded, packed, sent, and noted row by row.

Memory holds a few thousand rows, whatever the audience. It may be killed at any instant: what is not noted is sent
again, under the same keys; where a tool would do it twice, a note before the request says that nobody knows.
"""

import json
from collections.abc import Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing

from loader.core import diff
from loader.core.audience import Accepted, Batch, Failed, Member, Op, Refused, Rejected, Unknown
from loader.core.destination import Resend
from loader.core.results import Progress
from loader.core.warehouse import Row
from loader.delivery.delivering import Budget, Delivered, adopted, delivered
from loader.delivery.exchange import Exchange
from loader.errors import DestinationError
from loader.ledger import syncs as ledger
from loader.sync.edges import Edges
from loader.sync.log import Log, Place, spelled
from loader.sync.planning import OTHERS, REMOVALS, Encoder, table

_FIRST_ROWS, _MOST_ROWS, _CHUNK_BYTES = 1_000, 10_000, 24_000_000  # of the plan that are read at once
_SAMPLE_ROWS = 50
_PATIENCE_BATCHES = 3  # that fail as a whole, one after the other
_HALVINGS, _HALVINGS_PER_ROWS = 50, 1_000
_KEY, _IDENTS, _SHARED = (diff.PLAN.index(name) for name in ("row_key", "idents", "shared"))
_OPS = {op.value: op for op in Op}
_NOT_REMOVED = "it is still there under its old identifier, so it waits"


class Sending:
    """One run of one plan."""

    def __init__(
        self, edges: Edges, log: Log, exchange: Exchange, progress: Progress, *, resumed: bool, rows: int, adopts: bool
    ) -> None:
        self._edges, self._log, self._exchange, self._progress = edges, log, exchange, progress
        self._resumed, self._adopts = resumed, adopts
        self._encoder = Encoder(edges)
        self._budget = Budget(_HALVINGS + rows // _HALVINGS_PER_ROWS)
        self._places: dict[str, Place] = {}  # of the rows on their way
        self._failing = 0
        self._held_back: set[str] = set()

    def phase(self, phase: int) -> None:
        """Send all rows of a phase. Raises DestinationError when the tool takes nothing; what was noted stays."""
        if phase == OTHERS:
            self._held_back = self._edges.door.run(lambda inside: ledger.unremoved(inside, self._log.run_id))
        concurrency = self._edges.limits.concurrency
        flying: dict[Future[Delivered], Batch] = {}
        deliver = adopted if self._adopts and phase == OTHERS else delivered
        with ThreadPoolExecutor(concurrency) as pool, closing(self._batches(phase)) as batches:
            try:
                for batch in batches:
                    flying[pool.submit(deliver, self._exchange, self._edges.tool, batch, self._budget)] = batch
                    while len(flying) >= concurrency:
                        self._landed(flying)
                while flying:
                    self._landed(flying)
            finally:
                self._edges.door.close()
                wait(flying)  # what is on its way arrives or not: either is noted
                for future, batch in flying.items():
                    if not future.exception():
                        self._note(batch, future.result())
                self._log.flush()

    def baseline(self) -> None:
        """Note every row as if the tool had it, without sending any."""
        for members in self._encoder.batches(self._members(OTHERS)):
            for member in members:
                self._log.settled(self._places.pop(member.key), Accepted(member.key))
            self._log.flush_when_due()
        self._log.flush()

    def _batches(self, phase: int) -> Generator[Batch, None, None]:
        for members in self._encoder.batches(self._members(phase)):
            if self._edges.tool.resend is Resend.UNSAFE:
                for member in members:
                    self._log.note(self._places[member.key], "sending")
                self._log.flush()
            yield Batch(members, self._edges.mode, self._edges.name, self._log.run_id, 0, "")

    def _landed(self, flying: dict[Future[Delivered], Batch]) -> None:
        """Note the batches that have arrived; wait for the first."""
        self._edges.door.close()
        done, _ = wait(flying, return_when=FIRST_COMPLETED)
        for future in done:
            self._note(flying.pop(future), future.result())
        self._log.flush_when_due()

    def _note(self, batch: Batch, found: Delivered) -> None:
        outcomes, working = found
        for outcome in outcomes:
            self._log.settled(self._places.pop(outcome.key), outcome)
        for each in working:
            self._log.begin_job(each, [self._places.pop(member.key) for member in each.batch.members])
        self._progress.advance(len(batch.members))
        lost = bool(outcomes) and all(
            (isinstance(each, Failed) and each.whole) or isinstance(each, Unknown) for each in outcomes
        )
        self._failing = self._failing + 1 if lost else 0
        if self._failing >= _PATIENCE_BATCHES and isinstance(outcomes[0], Failed | Unknown):
            raise DestinationError(f"{self._edges.tool.title} does not answer as it should: {outcomes[0].message}")

    def _members(self, phase: int) -> Iterator[Member]:
        """Yield the phase's rows as members; those that need no request are noted at once."""
        for row in self._rows(phase):
            found = self._removed(row) if phase == REMOVALS else self._sent(row)
            if found is not None:
                yield found

    def _rows(self, phase: int) -> Iterator[Row]:
        query = diff.chunk(table(self._log.run_id), len(self._edges.columns), resumed=self._resumed)
        seq, size, run = 0, _FIRST_ROWS, [self._log.run_id] if self._resumed else []
        while True:
            rows = self._edges.door.rows(query, [phase, seq, *run, size])
            yield from rows
            if len(rows) < size:
                return
            seq, size = rows[-1][0], min(_MOST_ROWS, max(1, _CHUNK_BYTES // _row_bytes(rows)))

    def _removed(self, row: Row) -> Member | None:
        """Return who leaves, or whose old identifier does; None where nothing is to be sent."""
        place, shared = _place(row, row[_IDENTS], None), row[_SHARED]
        idents = json.loads(place.idents or "{}")
        if place.op == "replace":
            fields = self._encoder.fields(row)
            if isinstance(fields, Refused) or self._encoder.identifiers(fields) == idents:
                return None  # the new row cannot be sent, or is the same person to the tool
        if shared:
            self._log.settled(place, Accepted(place.row_key))
            return None
        return self._known(place, self._encoder.removal(place.row_key, idents, place.version, place.remote_id))

    def _sent(self, row: Row) -> Member | None:
        fields = self._encoder.fields(row)
        if isinstance(fields, Refused) or row[_KEY] in self._held_back:
            place = _place(row, row[_IDENTS], None)
            if isinstance(fields, Refused):
                self._log.settled(place, Rejected(place.row_key, fields.code, fields.message))
            else:
                self._log.settled(place, Failed(place.row_key, "not_removed", _NOT_REMOVED))
            return None
        place = _place(row, *spelled(self._encoder.identifiers(fields)))
        op = _OPS[place.op]
        return self._known(place, self._encoder.member(place.row_key, op, fields, place.version, place.remote_id))

    def _known(self, place: Place, member: Member | Refused) -> Member | None:
        if isinstance(member, Refused):
            self._log.settled(place, Rejected(place.row_key, member.code, member.message))
            return None
        self._places[place.row_key] = place
        return member


def resolve_unfinished(edges: Edges, log: Log) -> None:
    """Note the rows that were being sent when the process died: nobody knows whether they arrived."""
    found = edges.door.run(lambda inside: ledger.unfinished(inside, log.run_id))
    for each in found:
        log.settled(place_of(each), Unknown(each["row_key"], "interrupted", "the process ended while it was sent"))
    log.flush()


def place_of(entry: dict[str, object]) -> Place:
    """Return the place that an entry of the log speaks of."""
    return Place(**{name: entry[name] for name in Place._fields})  # type: ignore[arg-type]  # as they were written


def _row_bytes(rows: list[Row]) -> int:
    """Return about how long a row is, as text."""
    sample = rows[:: max(1, len(rows) // _SAMPLE_ROWS)]
    return max(1, sum(len(str(value)) for row in sample for value in row) // len(sample))


def _place(row: Row, idents: str | None, ident_hash: str | None) -> Place:
    """Return the place of a row of the plan, whose columns are those of `diff.PLAN`."""
    seq, key, op, _, row_hash, source, version, attempts, _, remote_id, _ = row[: len(diff.PLAN)]
    return Place(seq, key, op, row_hash, source, version, attempts, idents, ident_hash, remote_id)
