"""ISO 8601 strings → instants in UTC, in microseconds; the one place that says what a timestamp is.

A date, or a date and a time to the minute or finer, with `T` or a space between, `Z`, an offset or none (then UTC).
Digits beyond microseconds are cut. No second 60 and no year outside 0001–9999: no warehouse holds them.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from loader.core.bounds import EPOCH, MAX_AT, MICROSECOND, MIN_AT

MICROSECONDS = pa.timestamp("us", tz="UTC")
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d(?::?\d\d)?)?)?", re.ASCII
)
# Arrow also reads hours without minutes, which end before this length whatever their zone.
_ARROW_AGREES_FROM = 20


@lru_cache(maxsize=65_536)
def microseconds(text: str) -> int | None:
    """Return the instant of `text` in microseconds since 1970, or None if it is no timestamp."""
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    micros = int((fraction or "")[:6].ljust(6, "0"))
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC
        )
    except ValueError:
        return None
    offset = _offset_seconds(zone or "Z")
    if offset is None:
        return None
    instant = (moment - EPOCH) // MICROSECOND + micros - offset * 1_000_000
    return instant if MIN_AT <= instant <= MAX_AT else None


def instants(texts: pa.Array) -> tuple[pa.Array, list[int]]:
    """Return the instants of an array of strings, and the positions of strings that are no timestamp.

    Null where the string is null or no timestamp. Native for an array of zoned, well-formed strings.
    """
    lengths = pc.min_max(pc.binary_length(texts))
    if not lengths["min"].is_valid:
        return pa.nulls(len(texts), MICROSECONDS), []
    if lengths["min"].as_py() >= _ARROW_AGREES_FROM:
        try:
            found = pc.cast(texts, MICROSECONDS)
        except pa.ArrowInvalid:
            pass
        else:
            if _within_years(found):
                return found, []
    values = [None if text is None else microseconds(text) for text in texts.to_pylist()]
    wrong = [row for row, value in enumerate(values) if value is None and texts[row].is_valid]
    return pa.array(values, pa.int64()).cast(MICROSECONDS), wrong


def all_timestamps(texts: pa.Array) -> bool:
    """Return whether every non-null string is a timestamp; cheap where the first one is not."""
    present = texts.drop_null() if texts.null_count else texts
    if len(present) and microseconds(present[0].as_py()) is None:
        return False
    return not instants(texts)[1]


def corrected(received: pa.Array, sent: pa.Array, original: pa.Array) -> pa.Array:
    """Return received − (sent − original), null where one is null or the result leaves the years 1–9999."""
    valid = pc.and_(pc.and_(pc.is_valid(received), pc.is_valid(sent)), pc.is_valid(original))
    numbers = [np.asarray(array.cast(pa.int64()).fill_null(0)) for array in (received, sent, original)]
    instant = numbers[0] - (numbers[1] - numbers[2])  # 3 × 2.5e17 at most: far from 2^63
    within = np.asarray(valid) & (instant >= MIN_AT) & (instant <= MAX_AT)
    return pa.array(instant, pa.int64(), mask=~within).cast(MICROSECONDS)


def _within_years(found: pa.Array) -> bool:
    bounds = pc.min_max(found.cast(pa.int64()))
    return bool(bounds["min"].as_py() >= MIN_AT and bounds["max"].as_py() <= MAX_AT)


def _offset_seconds(zone: str) -> int | None:
    if zone == "Z":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        return None
    return (hours * 3600 + minutes * 60) * (-1 if zone[0] == "-" else 1)
