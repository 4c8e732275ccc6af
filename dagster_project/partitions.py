"""A source's partitions: the hours or days in which its files arrive, never the times of its events.

The first partition is a fixed date: one that moved with the clock would change the keys of everything behind it.
"""

from datetime import datetime

import dagster as dg

from loader.config import Source

START = "2024-01-01"  # unless LOADER_START says otherwise; hours from here stay below Dagster's advised 100,000 keys


def partitions(source: Source, *, start: datetime) -> dg.TimeWindowPartitionsDefinition:
    """Return the partitions from `start` to the one that is going on now, in UTC."""
    kind = dg.HourlyPartitionsDefinition if source.partition == "hour" else dg.DailyPartitionsDefinition
    return kind(start_date=start, timezone="UTC", end_offset=1)
