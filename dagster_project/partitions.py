"""A source's partitions: the hours or days in which its files arrive, never the times of its events.

The first partition is a fixed date: one that moved with the clock would change the keys of everything behind it.
"""

from datetime import UTC, datetime

import dagster as dg

from loader.config import Source
from loader.core.partitions import STEPS
from loader.core.results import Window

_FORMATS = {"hour": "%Y-%m-%d-%H:%M", "day": "%Y-%m-%d"}


def partitions(source: Source, *, start: str) -> dg.TimeWindowPartitionsDefinition:
    """Return the partitions from `start` to the one that is going on now, in UTC."""
    kind = dg.HourlyPartitionsDefinition if source.partition == "hour" else dg.DailyPartitionsDefinition
    first = datetime.fromisoformat(start).replace(tzinfo=UTC)
    return kind(start_date=first, timezone="UTC", end_offset=1)


def key_of(at: datetime, step: str) -> str:
    """Return the key of the partition that begins at a time.

    >>> key_of(datetime(2026, 1, 31, 5, tzinfo=UTC), "hour")
    '2026-01-31-05:00'
    """
    return at.astimezone(UTC).strftime(_FORMATS[step])


def begins_at(key: str, step: str) -> datetime:
    """Return when the partition of a key begins.

    >>> begins_at("2026-01-31", "day").isoformat()
    '2026-01-31T00:00:00+00:00'
    """
    return datetime.strptime(key, _FORMATS[step]).replace(tzinfo=UTC)


def window_of(keys: list[str], step: str) -> Window:
    """Return the window of a contiguous range of partitions, in any order."""
    starts = [begins_at(key, step) for key in keys]
    return Window(min(starts), max(starts) + STEPS[step])
