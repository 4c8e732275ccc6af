"""Files of a source → those that a load should take."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from loader.core import partitions
from loader.core.plan import Arrival
from loader.core.results import Window
from loader.core.warehouse import Session
from loader.ledger import loads
from loader.load.edges import Edges

_TOMORROW = timedelta(days=2)  # clocks differ, and collectors write ahead


@dataclass(frozen=True, slots=True)
class Listing:
    """What a listing found."""

    arrivals: tuple[Arrival, ...]
    strays: int  # files whose key does not follow the layout
    stray: str | None  # one of them


def pending(edges: Edges, session: Session, window: Window, *, replay: bool = False) -> Listing:
    """Return the files in a window that no load has claimed; with `replay`, also those that are loaded.

    Without a window: from `lookback` before the newest loaded partition on, so that a listing costs what is new.
    """
    start = window.start
    if start is None and not replay:
        newest = loads.newest_partition(session, edges.source, datetime.now(UTC))
        start = None if newest is None else newest - edges.settings.lookback
    known = (
        set() if replay else loads.known_files(session, edges.source, None if edges.settings.layout is None else start)
    )
    return unclaimed(edges, known, Window(start, window.stop))


def unclaimed(edges: Edges, known: Collection[tuple[str, str, int]], window: Window) -> Listing:
    """Return the files in a window but for the known ones (key, version, size). Asks only the source."""
    found: list[Arrival] = []
    strays: list[str] = []
    for arrival, key in _listed(edges, window.start, window.stop):
        if arrival is None:
            strays.append(key)
        elif (key, arrival.file.version, arrival.file.size) not in known:
            found.append(arrival)
    return Listing(tuple(found), len(strays), strays[0] if strays else None)


def _listed(edges: Edges, start: datetime | None, stop: datetime | None) -> Iterator[tuple[Arrival | None, str]]:
    settings = edges.settings
    end = stop or datetime.now(UTC) + _TOMORROW
    layout_start = start if settings.layout is not None else None
    for prefix in partitions.prefixes(settings.layout, layout_start, end):
        for file in edges.events.list(prefix):
            at = partitions.partition_of(file.key, file.modified_at, layout=settings.layout, step=settings.partition)
            if at is None:
                yield None, file.key
            elif (start is None or at >= start or (settings.layout is None and stop is None)) and (
                stop is None or at < stop
            ):
                yield Arrival(file, loads.microseconds(at)), file.key
