"""Object keys → partitions, by receipt: the hour or day in which a file arrived, never the time of its events.

A layout is a pattern at the start of keys: `{yyyy} {mm} {dd} {hh}`, `{day_ms}` (a UTC date as milliseconds, as in
Segment's archives), `{source}` (anything but `/`), all else literal.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_DIGITS = {"yyyy": r"\d{4}", "mm": r"\d{2}", "dd": r"\d{2}", "hh": r"\d{2}", "day_ms": r"\d{8,14}", "source": r"[^/]+"}
STEPS = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
_MAX_PREFIXES = 2_000  # prefixes listed one by one; for a wider window all is listed


def partition_of(key: str, modified_at: datetime, *, layout: str | None, step: str) -> datetime | None:
    """Return the start of a file's partition, aware UTC; None if the key does not follow the layout."""
    if layout is None:
        return truncated(modified_at, step)
    match = _pattern(layout).match(key)
    if match is None:
        return None
    fields = match.groupdict()
    try:
        if "day_ms" in fields:
            start = datetime.fromtimestamp(int(fields["day_ms"]) / 1000, UTC)
        else:
            start = datetime(int(fields["yyyy"]), int(fields["mm"]), int(fields["dd"]), tzinfo=UTC)
        if "hh" in fields:
            start = start.replace(hour=int(fields["hh"]))
    except (ValueError, OverflowError, OSError):
        return None
    return truncated(start, step)


def truncated(moment: datetime, step: str) -> datetime:
    """Return the start of the hour or day in which a moment lies, in UTC."""
    start = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return start.replace(hour=0) if step == "day" else start


def prefixes(layout: str | None, start: datetime | None, stop: datetime) -> Iterator[str]:
    """Yield prefixes that together hold every key of the partitions from `start` to `stop` (left out).

    So that a listing costs what a window holds, not what the history holds. One empty prefix where that is unknown.
    """
    if layout is None or start is None or "{source}" in layout.split("{yyyy}")[0].split("{day_ms}")[0]:
        yield ""
        return
    days = (truncated(stop - timedelta(microseconds=1), "day") - truncated(start, "day")).days + 1
    heads = dict.fromkeys(_filled(layout, start + timedelta(days=day)) for day in range(min(days, _MAX_PREFIXES)))
    if days > _MAX_PREFIXES:
        yield layout.split("{")[0]
    else:
        yield from heads


def _filled(layout: str, day: datetime) -> str:
    """Return the layout's text for a day, up to the first placeholder that is finer than a day or unknown."""
    day = truncated(day, "day")
    known = {
        "yyyy": f"{day:%Y}",
        "mm": f"{day:%m}",
        "dd": f"{day:%d}",
        "day_ms": str(int(day.timestamp() * 1000)),
    }
    text = ""
    for number, piece in enumerate(_PLACEHOLDER.split(layout)):
        if number % 2 == 0:
            text += piece
        elif piece in known:
            text += known[piece]
        else:
            break
    return text


@lru_cache(maxsize=64)
def _pattern(layout: str) -> re.Pattern[str]:
    seen: set[str] = set()
    text = ""
    for number, piece in enumerate(_PLACEHOLDER.split(layout)):
        if number % 2 == 0:
            text += re.escape(piece)
        elif piece in seen or piece == "source":
            text += f"(?P={piece})" if piece in seen else _DIGITS[piece]
        else:
            seen.add(piece)
            text += f"(?P<{piece}>{_DIGITS[piece]})"
    return re.compile(text, re.ASCII)
