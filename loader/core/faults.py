"""What a warehouse's error means: who must act, what to do, and whether trying again may help.

Each warehouse's file has a table of patterns, most particular first: by SQLSTATE, errno or reason, and by the message
where the code does not tell.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from loader.errors import WarehouseBusyError, WarehouseError

_SHOWN = 300  # characters of a warehouse's own message


class Fault(Enum):
    """Who must act."""

    CREDENTIALS = "credentials"  # the user is not known, or the password, key or token is wrong
    PERMISSION = "permission"  # the user is known and may not
    MISSING = "missing"  # a database, schema, bucket or warehouse that should be there is not
    CAPACITY = "capacity"  # no room, connections or slots now
    RATE = "rate"  # too many calls in a time
    SCHEMA = "schema"  # a table or column is not as the loader knows it
    DATA = "data"  # a value does not fit
    TRANSIENT = "transient"  # a connection broke, a deadlock, a conflict with another transaction
    UNKNOWN = "unknown"


BUSY = {Fault.CAPACITY, Fault.RATE, Fault.TRANSIENT}


@dataclass(frozen=True, slots=True)
class Pattern:
    """Errors that mean one thing."""

    fault: Fault
    remedy: str  # what to do, as an order; {what} is what was tried
    codes: tuple[str, ...] = ()  # SQLSTATEs, errnos or reasons; `08*` is every code that begins so; none: any
    text: str = ""  # a regular expression that the message must match, in any letter case


_UNKNOWN = Pattern(Fault.UNKNOWN, "see what the message says, then run again: the load continues")


def classified(patterns: Sequence[Pattern], codes: Sequence[str], message: str) -> Pattern:
    """Return the first pattern that fits an error; one of fault UNKNOWN if none does."""
    return next((each for each in patterns if _fits(each, codes, message)), _UNKNOWN)


def failure(
    patterns: Sequence[Pattern], *, warehouse: str, what: str, codes: Sequence[str], message: str
) -> WarehouseError:
    """Return the error to raise: WarehouseBusyError where trying again may help, else WarehouseError.

    Of the message only its first line is told, and no text in quotes where the fault is in the data: that may be a
    person's.
    """
    pattern = classified(patterns, codes, message)
    kind = WarehouseBusyError if pattern.fault in BUSY else WarehouseError
    code = next((each for each in codes if each), "")
    told = _first_line(message, private=pattern.fault is Fault.DATA)
    return kind(
        f"{warehouse}: {what}: {told}{f' ({code})' if code else ''}; {pattern.remedy.format(what=what)}",
        pattern.fault.value,
    )


def _fits(pattern: Pattern, codes: Sequence[str], message: str) -> bool:
    by_code = not pattern.codes or any(_covers(known, code) for known in pattern.codes for code in codes if code)
    return by_code and (not pattern.text or re.search(pattern.text, message, re.IGNORECASE) is not None)


def _covers(known: str, code: str) -> bool:
    return code.startswith(known[:-1]) if known.endswith("*") else code == known


def _first_line(message: str, *, private: bool) -> str:
    text = next((line.strip() for line in message.splitlines() if line.strip()), "no message")
    return (re.sub(r"'[^']*'|\"[^\"]*\"", "…", text) if private else text)[:_SHOWN]
