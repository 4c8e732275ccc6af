"""How numbers, sizes, durations, times and personal values are written for people."""

import unicodedata
from datetime import UTC, datetime

MASKED_CHARACTERS = 24
_UNITS = ("KB", "MB", "GB", "TB", "PB")  # of 1024, as in loader.toml


def number(value: int) -> str:
    """Return the number with separators between thousands."""
    return f"{value:,}"


def amount(value: int, one: str, many: str | None = None) -> str:
    """Return the number with its noun.

    >>> amount(1, "file"), amount(2000, "file"), amount(2, "index", "indexes")
    ('1 file', '2,000 files', '2 indexes')
    """
    return f"{value:,} {one if value == 1 else many or f'{one}s'}"


def size(stored_bytes: float) -> str:
    """Return a number of bytes in a unit that leaves at most four digits.

    >>> size(999), size(1536), size(11.3 * 1024**2)
    ('999 B', '1.5 KB', '11.3 MB')
    """
    if stored_bytes < 1000:
        return f"{stored_bytes:.0f} B"
    for unit in _UNITS:
        stored_bytes /= 1024
        if stored_bytes < 1000 or unit == _UNITS[-1]:
            break
    return f"{stored_bytes:,.1f} {unit}"


def duration(seconds: float) -> str:
    """Return a length of time in its two largest units.

    >>> duration(0.042), duration(4.21), duration(192), duration(3780), duration(90_000)
    ('42 ms', '4.2 s', '3 min 12 s', '1 h 3 min', '1 d 1 h')
    """
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def rate(done: float, seconds: float) -> float:
    """Return how much was done per second; 0 where no time passed."""
    return done / seconds if seconds > 0 else 0.0


def when(at: datetime | None) -> str:
    """Return the time in UTC to the second, or a dash."""
    return "-" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def masked(text: str) -> str:
    """Return the form of a value without the value: letters as x, digits as 9, at most 24 characters.

    >>> masked('"Jürgen.Groß+7@example.com"')
    '"xxxxxx.xxxx+9@xxxxxxx.x…'
    """
    form = "".join(map(_masked, text[:MASKED_CHARACTERS]))
    return form + "…" if len(text) > MASKED_CHARACTERS else form


def shortened(text: str, characters: int) -> str:
    """Return the beginning of a long text, and how long all of it is."""
    return text if len(text) <= characters else f"{text[:characters]}… ({amount(len(text), 'character')})"


def visible(text: str) -> str:
    """Return the text with control and other unprintable characters escaped: none of them reaches a terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def one_line(text: str) -> str:
    """Return the text on one line, without unprintable characters."""
    return visible(" ".join(text.split()))


def width(text: str) -> int:
    """Return how many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _masked(character: str) -> str:
    if character.isdigit():
        return "9"
    return character if character.isascii() and not character.isalpha() else "x"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
