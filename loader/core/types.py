"""The kinds of values, and the column type that holds a set of kinds.

A report says which kinds of values a column had; reports are joined by set union, which is
commutative, associative and idempotent, so a type never depends on the order in which rows,
files or workers came. `column_type` turns the whole set into a type once, at the end.
"""

from enum import Enum

MAX_EXACT = 2**53  # every integer up to here is exact in binary64
MIN_LONG, MAX_LONG = -(2**63), 2**63 - 1


class Kind:
    """The kinds of values, as bits: a set of them is an integer. An enumeration would cost a third of the shredder."""

    NONE = 0  # nulls only
    BOOLEAN = 1
    INTEGER = 2  # written without a fraction, exact in binary64
    BIG = 4  # an integer of 64 bits that binary64 would round
    DOUBLE = 8  # written with a fraction or an exponent
    TIMESTAMP = 16  # a string that is an ISO 8601 date or datetime
    STRING = 32  # any other string
    JSON = 64  # an array, or an object at the depth limit
    DIGITS = 128  # a number beyond 64 bits or beyond binary64: kept as it was written


class ColumnType(Enum):
    """What a column holds. The same six in every warehouse; a dialect spells them."""

    BOOLEAN = "boolean"
    INTEGER = "integer"  # signed, 64 bits
    DOUBLE = "double"  # IEEE 754 binary64
    TIMESTAMP = "timestamp"  # UTC, microseconds
    STRING = "string"  # UTF-8, without NUL
    JSON = "json"  # valid JSON text


Kinds = int  # a set of kinds
_INTEGERS = Kind.INTEGER | Kind.BIG
_NUMBERS = Kind.INTEGER | Kind.DOUBLE


def column_type(kinds: Kinds) -> ColumnType | None:
    """Return the narrowest type that loses nothing of any value of `kinds`; None for nulls only.

    Integers that binary64 would round, mixed with fractions, become strings: digits are never lost.
    """
    if not kinds:
        return None
    if kinds & Kind.JSON:
        return ColumnType.JSON
    for holds, kind in (
        (Kind.BOOLEAN, ColumnType.BOOLEAN),
        (_INTEGERS, ColumnType.INTEGER),
        (_NUMBERS, ColumnType.DOUBLE),
        (Kind.TIMESTAMP, ColumnType.TIMESTAMP),
    ):
        if not kinds & ~holds:
            return kind
    return ColumnType.STRING
