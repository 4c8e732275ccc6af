"""Strings that are timestamps (RULES 4.3), and the arithmetic of `timestamp` (RULES 2.4)."""

import re
from datetime import UTC, datetime, timedelta

FORM = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?"
    r"(Z|([+-])([0-9]{2})(?::?([0-9]{2}))?)?)?"
)


def timestamp(text: str) -> datetime | None:
    """Return the instant in UTC, cut to microseconds; None where the text is no timestamp."""
    found = FORM.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, _, sign, hours, minutes = found.groups()
    microsecond = int((fraction or "")[:6].ljust(6, "0"))
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    if int(hours or 0) > 23 or int(minutes or 0) > 59:
        return None
    try:
        local = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), microsecond, UTC
        )
        return local + offset if sign == "-" else local - offset
    except (ValueError, OverflowError):  # no such date, or beyond the years 1 to 9999
        return None


def computed(received_at: datetime, sent_at: datetime | None, original: datetime | None) -> datetime | None:
    """Return when an event happened by the receiver's clock, if that can be known."""
    if sent_at is None or original is None:
        return None
    try:
        return received_at - (sent_at - original)
    except OverflowError:
        return None
