"""A tool's fields: how a value must look there. Normalisers return what the tool wants, or raise ValueError.

A vendor's own rules (dots in addresses, area codes, titles in names) belong in that destination's file.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

Normal = Callable[[Any], Any]  # value of the warehouse, never null → value of the tool; None: as if it were null
_EMAIL = re.compile(r"[^@\s\x00-\x1f\"(),:;<>\[\]\\]+@[^@\s.\x00-\x1f]+(\.[^@\s.\x00-\x1f]+)+")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_AS_JSON = {str, bool, int, float, list, dict}
_TRUE, _FALSE = {"true", "t", "yes", "y", "1"}, {"false", "f", "no", "n", "0"}


class Null(Enum):
    """What becomes of a null."""

    SEND = "send"  # as null, which empties the field in the tool
    OMIT = "omit"  # not sent: the tool keeps what it has
    EMPTY = "empty"  # as an empty text, which empties the field in the tool


def plain(value: Any) -> Any:
    """Return the value as JSON has it: times in ISO 8601 and UTC, decimals as numbers, bytes as hex."""
    if type(value) in _AS_JSON:
        return value
    match value:
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime():
            return _utc(value).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case bytes():
            return value.hex()
    return str(value)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a tool."""

    name: str
    normal: Normal = plain
    hashed: bool = False  # leaves this process as SHA-256 in small hex
    max_length: int | None = None  # of characters
    required: bool = False  # a row without it is rejected, except when it leaves
    null: Null = Null.SEND


def text(value: Any) -> str | None:
    """Return the value as text without space around it."""
    return str(plain(value)).strip() or None


def lowered(value: Any) -> str | None:
    """Return the text in small letters, without space around it."""
    return str(plain(value)).strip().lower() or None


def email(value: Any) -> str | None:
    """Return an address in small letters, without space around it."""
    found = str(value).strip().lower()
    if found and (len(found) > 254 or not _EMAIL.fullmatch(found)):
        raise ValueError("is no email address")
    return found or None


def phone(value: Any) -> str | None:
    """Return a number as E.164 has it: +, country, number. Only one with + or 00 says its country."""
    found = re.sub(r"[\s().\-/]", "", str(value))
    found = re.sub(r"^00", "+", found)
    if found and not _PHONE.fullmatch(found):
        raise ValueError("is no phone number with its country, like +4930901820")
    return found or None


def number(value: Any) -> int | float:
    """Return a number; text is read as one."""
    found = float(value) if isinstance(value, str) else plain(value)
    if isinstance(found, bool) or not isinstance(found, int | float) or found != found or abs(found) == float("inf"):
        raise ValueError("is no number")
    return int(found) if isinstance(found, float) and found.is_integer() and isinstance(value, str) else found


def boolean(value: Any) -> bool:
    """Return true or false; the usual words for them are read."""
    word = str(value).strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError("is neither true nor false")
    return word in _TRUE


def unix_seconds(value: Any) -> int:
    """Return a time in seconds since 1970."""
    return int(moment(value).timestamp())


def iso_time(value: Any) -> str:
    """Return a time as 2026-01-31T05:00:00.000Z."""
    return str(plain(moment(value)))


def moment(value: Any) -> datetime:
    """Return a time, aware; without an offset it is UTC; a number is seconds since 1970."""
    match value:
        case datetime():
            return _utc(value)
        case date():
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        case int() | float() | Decimal() if not isinstance(value, bool):
            return datetime.fromtimestamp(float(value), UTC)
    try:
        return _utc(datetime.fromisoformat(str(value).strip()))
    except ValueError:
        raise ValueError("is no time") from None


def alike(sent: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
    """Return whether a tool has what would be sent, as texts; null, absent and empty are the same."""
    return all(_as_text(value) == _as_text(there.get(name)) for name, value in sent.items())


def _as_text(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
