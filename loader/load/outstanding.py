"""What waits: files that no load has claimed, and loads that are not done, by partition.

For a scheduler that asks often: the warehouse is open only for its answer, never while a source is listed.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace as with_settings

from loader.config import Config, Duration
from loader.core.results import Window
from loader.ledger import facts, loads
from loader.load.edges import open_edges
from loader.load.listing import unclaimed
from loader.load.reading import reading

_PATIENCE = Duration(seconds=2)  # for a process that holds the warehouse: the next look comes soon


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in one partition of a source."""

    at: datetime
    files: int = 0  # that no load has claimed
    stored_bytes: int = 0
    newest_at: datetime | None = None  # of these files
    load: str = ""  # state of an open load: planned, shredded, migrated or loading
    error: str = ""  # of that load


def waiting(config: Config, source: str, *, back: timedelta | None) -> list[Waiting]:
    """Return what waits, by partition, in order.

    Lists from `back` before the newest loaded partition on, or from the source's `lookback` if that is None.
    WarehouseLockedError after two seconds; StorageError where the source cannot be listed.
    """
    edges = open_edges(config, source)
    patient = with_settings(config, load=with_settings(config.load, lock_wait=_PATIENCE))
    with reading(patient) as (_, asked), asked.session() as session:
        newest = loads.newest_partition(session, source, datetime.now(UTC))
        start = None if newest is None else newest - (back or edges.settings.lookback)
        known = loads.known_files(session, source, None if edges.settings.layout is None else start)
        opened = facts.open_partitions(session, source)
    found: dict[datetime, Waiting] = {}
    for at, state, error in opened:
        before = found.get(at, Waiting(at))
        found[at] = replace(before, load=state, error=error or before.error)
    for arrival in unclaimed(edges, known, Window(start, None)).arrivals:
        at = loads.moment(arrival.partition_at)
        before = found.get(at, Waiting(at))
        found[at] = replace(
            before,
            files=before.files + 1,
            stored_bytes=before.stored_bytes + arrival.file.size,
            newest_at=max(before.newest_at or arrival.file.modified_at, arrival.file.modified_at),
        )
    return [found[at] for at in sorted(found)]
