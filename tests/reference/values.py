"""Kinds of values, types of columns, and what a column stores (RULES 4.2, 4.4, 4.5, 5.1)."""

import math
import re
from collections.abc import Set
from enum import Enum
from typing import assert_never

from reference.json_text import NUMBER, Node
from reference.model import Column, Type
from reference.timestamps import timestamp

EXACT = 2**53
PARTS = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")


class Kind(Enum):
    """What one value is, whatever column it comes to."""

    BOOLEAN = "boolean"
    INTEGER = "integer"  # exact in binary64
    BIG = "big"  # an integer beyond 2^53, in 64 bits
    DOUBLE = "double"
    TIMESTAMP = "timestamp"
    STRING = "string"
    JSON = "json"


def kind(node: Node) -> Kind:
    """Return the kind of a value that is not null."""
    if node.kind in ("object", "array"):
        return Kind.JSON
    if node.kind == "boolean":
        return Kind.BOOLEAN
    if node.kind == "string":
        return Kind.STRING if timestamp(str(node.value)) is None else Kind.TIMESTAMP
    if isinstance(node.value, float):
        return Kind.DOUBLE if math.isfinite(node.value) else Kind.STRING
    assert isinstance(node.value, int)
    if abs(node.value) <= EXACT:
        return Kind.INTEGER
    return Kind.BIG if _in_64_bits(node.value) else Kind.STRING


def new_column(kinds: Set[Kind]) -> Column:
    """Return the column for all the kinds that a load has for it; at least one."""
    if Kind.JSON in kinds:
        return Column("json")
    if kinds == {Kind.BOOLEAN}:
        return Column("boolean")
    if kinds <= {Kind.INTEGER, Kind.BIG}:
        return Column("integer", big=Kind.BIG in kinds)
    if kinds <= {Kind.INTEGER, Kind.DOUBLE}:
        return Column("double")
    return Column("timestamp" if kinds == {Kind.TIMESTAMP} else "string")


def met(column: Column, kinds: Set[Kind]) -> Column:
    """Return what a column that exists becomes when it meets the kinds of a load."""
    if column.type != "integer":
        return column
    big = column.big or Kind.BIG in kinds
    return Column("double") if Kind.DOUBLE in kinds and not big else Column("integer", big=big)


def stored(node: Node, to: Type) -> object:
    """Return what a column of type `to` holds for a value that is not null; None where it cannot hold it."""
    match to:
        case "string":
            return text(node)
        case "json":
            return node.value
        case "boolean":
            return {"true": True, "false": False}.get(text(node)) if _is(node, Kind.BOOLEAN, Kind.STRING) else None
        case "timestamp":
            return timestamp(text(node)) if _is(node, Kind.TIMESTAMP) else None
        case "integer":
            return _integer(node)
        case "double":
            return _double(node)
        case _:
            assert_never(to)


def text(node: Node) -> str:
    """Return a value's text, as a string column holds it."""
    if node.kind == "string":
        return str(node.value)
    if _is(node, Kind.INTEGER, Kind.BIG):
        return str(node.value)
    if _is(node, Kind.DOUBLE):
        assert isinstance(node.value, float)
        return str(int(node.value)) if node.value.is_integer() and abs(node.value) < EXACT else repr(node.value)
    return node.text


def _is(node: Node, *kinds: Kind) -> bool:
    return kind(node) in kinds


def _in_64_bits(number: int) -> bool:
    return -(2**63) <= number < 2**63


def _integer(node: Node) -> int | None:
    match kind(node):
        case Kind.INTEGER | Kind.BIG:
            assert isinstance(node.value, int)
            return node.value
        case Kind.DOUBLE:
            assert isinstance(node.value, float)
            return int(node.value) if node.value.is_integer() and _in_64_bits(int(node.value)) else None
        case Kind.STRING if NUMBER.fullmatch(text(node)):
            sign, digits, exponent = _decimal(text(node))
            if exponent < 0 or len(digits) + exponent > 19:
                return None
            number = int(sign + (digits or "0") + "0" * exponent)
            return number if _in_64_bits(number) else None
        case _:
            return None


def _double(node: Node) -> float | None:
    match kind(node):
        case Kind.DOUBLE:
            assert isinstance(node.value, float)
            return node.value
        case Kind.INTEGER | Kind.BIG:
            assert isinstance(node.value, int)
            return float(node.value) if int(float(node.value)) == node.value else None
        case Kind.STRING if NUMBER.fullmatch(text(node)):
            number = float(text(node))
            if not math.isfinite(number) or _decimal(text(node)) != _decimal(repr(number)):
                return None
            return number
        case _:
            return None


def _decimal(number: str) -> tuple[str, str, int]:
    """Return sign, digits and power of ten, the same for all spellings of one decimal number.

    Not with the decimal module: it refuses exponents beyond its own limits.
    """
    found = PARTS.fullmatch(number)
    assert found
    sign, whole, fraction, exponent = found.groups(default="")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return "", "", 0
    power = int(exponent or 0) if len(exponent) < 4_000 else _far(exponent)
    power += len(digits) - len(digits.rstrip("0")) - len(fraction)
    return sign, digits.rstrip("0"), power


def _far(exponent: str) -> int:
    """Return an exponent longer than `int` reads, if only zeros make it long, else one that nothing balances."""
    digits = exponent.lstrip("+-").lstrip("0")
    far = int(digits or 0) if len(digits) < 20 else 10**20
    return -far if exponent.startswith("-") else far
