"""Where the counting of microseconds begins, and the first and last instants that every warehouse holds."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MIN_AT = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND
MAX_AT = (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC) - EPOCH) // MICROSECOND
