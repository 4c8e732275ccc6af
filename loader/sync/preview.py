"""A frozen plan, told: its numbers, how long it takes at the tool's pace, and what a few rows would look like."""

import json
from collections import Counter
from collections.abc import Iterator

from loader.core import diff
from loader.core.audience import Member, Op, Refused
from loader.core.masking import masked_value
from loader.core.results import Progress
from loader.core.sync_results import Preview, SyncPlan
from loader.core.warehouse import Row
from loader.sync.edges import Edges
from loader.sync.planning import OTHERS, REMOVALS, Encoder, Frozen, first_sync

_SAMPLE_ROWS, _CHUNK_ROWS, _SHOWN = 100, 5_000, 2
_SECONDS_PER_REQUEST = 0.2  # where the tool declares no rate: a usual answer
_FIRST = {  # what the numbers of a first run cannot show
    "adopt": (
        "the tool is not asked before the run: whom it has just so is among the rows to add, and will not be sent",
    ),
    "baseline_only": ("this first run counts all rows as sent, and sends none",),
}


def told(edges: Edges, plan: Frozen, *, full: bool, progress: Progress) -> SyncPlan:
    """Return the plan as data. With `full` every row is encoded; else a few are, for the previews."""
    reader = _Reader(edges, plan, full=full, progress=progress)
    requests = sum(1 for phase in (REMOVALS, OTHERS) for _ in reader.encoder.batches(reader.members(phase)))
    if not full:
        requests = _estimated(edges, plan)
    counts = plan.counts
    return SyncPlan(
        run_id=plan.run_id,
        sync=edges.name,
        destination=edges.sync.destination,
        mode=edges.sync.mode,
        state=plan.state,
        audience_rows=counts["audience_rows"],
        **{
            name: counts[name]
            for name in ("adds", "changes", "removes", "replaces", "skipped", "suppressed", "held_out")
        },
        invalid={
            name: number for name, number in plan.invalid.items() if number and name not in ("suppressed", "held_out")
        },
        why=plan.why,
        requests=requests,
        seconds=_seconds(edges, requests),
        rejects=dict(reader.rejects) if full else None,
        previews=tuple(reader.previews),
        notes=plan.notes + _FIRST.get(first_sync(edges), ()),
    )


class _Reader:
    """The rows of a plan, encoded and counted."""

    def __init__(self, edges: Edges, plan: Frozen, *, full: bool, progress: Progress) -> None:
        self._edges, self._plan, self._full, self._progress = edges, plan, full, progress
        self.encoder = Encoder(edges)
        self.rejects: Counter[str] = Counter()
        self.previews: list[Preview] = []
        self._shown: Counter[str] = Counter()

    def members(self, phase: int) -> Iterator[Member]:
        """Yield the phase's rows that would be sent."""
        for row in self._rows(phase):
            found = self._member(row, phase)
            self._progress.advance(1)
            if isinstance(found, Refused):
                self.rejects[found.code] += 1
            elif found is not None:
                if self._shown[found.op.value] < _SHOWN:
                    self._shown[found.op.value] += 1
                    self.previews.append(Preview(found.op.value, masked_value(found.payload)))
                yield found

    def _member(self, row: Row, phase: int) -> Member | Refused | None:
        place = dict(zip(diff.PLAN, row, strict=False))
        fields = self.encoder.fields(row)
        if phase == OTHERS:
            if isinstance(fields, Refused):
                return fields
            return self.encoder.member(place["row_key"], Op(place["op"]), fields, place["version"], place["remote_id"])
        idents = json.loads(place["idents"] or "{}")
        moved = place["op"] == "replace"
        same = moved and (isinstance(fields, Refused) or self.encoder.identifiers(fields) == idents)
        if same or place["shared"]:
            return None
        return self.encoder.removal(place["row_key"], idents, place["version"], place["remote_id"])

    def _rows(self, phase: int) -> Iterator[Row]:
        query = diff.chunk(self._plan.table, len(self._edges.columns), resumed=False)
        seq, size = 0, _CHUNK_ROWS if self._full else _SAMPLE_ROWS
        while True:
            rows = self._edges.door.rows(query, [phase, seq, size])
            yield from rows
            if not self._full or len(rows) < size:
                return
            seq = rows[-1][0]


def _estimated(edges: Edges, plan: Frozen) -> int:
    """Return how many requests it takes if every batch is full."""
    counts, rows = plan.counts, edges.limits.rows
    phases = (counts["removes"] + counts["replaces"], counts["adds"] + counts["changes"])
    return sum(-(-number // rows) for number in phases)


def _seconds(edges: Edges, requests: int) -> float:
    paced = [requests * rate.seconds / rate.requests for rate in edges.limits.rates]
    return max([requests * _SECONDS_PER_REQUEST / edges.limits.concurrency, *paced])
