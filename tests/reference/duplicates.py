"""Which rows of a load are new (RULES 7.1, 7.2)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from reference.drafts import Draft
from reference.model import Row

DraftedRow = tuple[Draft, Row]


def new_rows(drafted: Sequence[DraftedRow], existing: Sequence[Row], window: timedelta) -> list[Row]:
    """Return the rows of one table that stay; all others are duplicates."""
    first: dict[str, DraftedRow] = {}
    for draft, row in drafted:
        if draft.id not in first or draft.rank < first[draft.id][0].rank:
            first[draft.id] = draft, row
    times = sorted(draft.received_at for draft, _ in drafted)
    there = {row["id"] for row in existing if times and _within(row, times[0], times[-1], window)}
    return [row for key, (_, row) in first.items() if key not in there]


def _within(row: Row, earliest: datetime, latest: datetime, window: timedelta) -> bool:
    received_at = row["received_at"]
    assert isinstance(received_at, datetime)
    return earliest - received_at <= window and received_at - latest <= window  # no sum: it may leave the years
