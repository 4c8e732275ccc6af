"""Values of one kind → values of a column's type: stored where nothing is lost, else null and named.

The same rules serve a whole array and a single value; arrays of the column's own type pass untouched.
"""

import json
import math
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from loader.core import timestamps
from loader.core.leaves import Leaf
from loader.core.types import MAX_EXACT, MAX_LONG, MIN_LONG, ColumnType, Kind, Kinds

ARROW = {
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.INTEGER: pa.int64(),
    ColumnType.DOUBLE: pa.float64(),
    ColumnType.TIMESTAMP: timestamps.MICROSECONDS,
    ColumnType.STRING: pa.string(),
    ColumnType.JSON: pa.string(),
}
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_MAX_DIGITS = 400  # of a number in a string: longer ones are no number anyone meant
_SPECIAL = re.compile(rb'["\\\x00-\x1f]')
# Between these Arrow writes doubles as Python's repr does, but for whole numbers, which it writes without a fraction.
_SHORTEST, _LONGEST = 1e-4, 1e10
_CONTROL = re.compile(r"\\u00[0-9a-f]{2}")


def kinds(leaf: Leaf, *, timestamps_matter: bool) -> Kinds:
    """Return the kinds of a leaf's values. Strings are read as timestamps only where that matters."""
    if leaf.array.null_count == len(leaf.array):
        return Kind.NONE
    kind = leaf.array.type
    if leaf.json:
        return Kind.DIGITS if leaf.digits else Kind.JSON
    if pa.types.is_boolean(kind):
        return Kind.BOOLEAN
    if pa.types.is_floating(kind):
        return Kind.DOUBLE
    if pa.types.is_integer(kind):
        bounds = pc.min_max(leaf.array)
        big = bounds["min"].as_py() < -MAX_EXACT or bounds["max"].as_py() > MAX_EXACT
        return Kind.INTEGER | Kind.BIG if big else Kind.INTEGER
    return Kind.TIMESTAMP if timestamps_matter and timestamps.all_timestamps(leaf.array) else Kind.STRING


def cast(leaf: Leaf, wanted: ColumnType) -> tuple[pa.Array, list[int]]:
    """Return the leaf's values in the column's type, and the positions of values it cannot hold (null there)."""
    array, own = leaf.array, leaf.array.type
    if wanted is ColumnType.TIMESTAMP and pa.types.is_string(own) and not leaf.json:
        return timestamps.instants(array)
    if wanted is ColumnType.JSON and leaf.json:
        return array, []
    if own == ARROW[wanted] and wanted is not ColumnType.JSON and (not leaf.json or wanted is ColumnType.STRING):
        return array, []
    if wanted is ColumnType.STRING or (wanted is ColumnType.JSON and not pa.types.is_string(own)):
        return (_texts(array) if pa.types.is_floating(own) else array.cast(pa.string())), []
    if wanted is ColumnType.JSON and not _has_specials(array):
        return pc.binary_join_element_wise('"', array, '"', ""), []
    if (
        wanted is ColumnType.DOUBLE
        and pa.types.is_integer(own)
        and kinds(leaf, timestamps_matter=False) == Kind.INTEGER
    ):
        return array.cast(pa.float64()), []
    return _one_by_one(leaf, wanted)


def json_text(leaf: Leaf, row: int) -> str:
    """Return one value as JSON text."""
    value = leaf.array[row].as_py()
    return value if leaf.json else _as_json(value)


def same_json(one: str, other: str) -> bool:
    """Return whether two JSON texts, which may be nested too deep for recursion, have the same value."""
    waiting = [] if one == other else [(_parsed(one), _parsed(other))]
    while waiting:
        match waiting.pop():
            case list() as left, list() as right if len(left) == len(right):
                waiting += zip(left, right, strict=True)
            case dict() as left, dict() as right if left.keys() == right.keys():
                waiting += ((value, right[key]) for key, value in left.items())
            case left, right:
                if isinstance(left, bool) is not isinstance(right, bool) or left != right:  # to Python `true` is 1
                    return False
    return True


def _parsed(text: str) -> Any:
    return json.loads(text, parse_int=lambda digits: int(digits) if len(digits) < _MAX_DIGITS else digits)


def text(value: bool | int | float | str) -> str:
    """Return a value as a string column holds it: a whole number without a fraction, others as Python's repr."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer() and abs(value) < MAX_EXACT:
            return str(int(value))
        case _:
            return repr(value)


def _texts(doubles: pa.Array) -> pa.Array:
    """Return the texts of doubles; native where Arrow writes what `text` does."""
    size = np.abs(np.asarray(doubles.fill_null(1.0)))
    plain = (size >= _SHORTEST) & (size < _LONGEST)
    texts = doubles.cast(pa.string())
    if plain.all():
        return texts
    values = [None if value is None else text(value) for value in doubles.to_pylist()]
    return pc.if_else(pa.array(plain), texts, pa.array(values, pa.string()))


def _has_specials(texts: pa.Array) -> bool:
    """Return whether any string has a character that JSON escapes."""
    data = texts.buffers()[2]
    return data is not None and _SPECIAL.search(data) is not None


def _one_by_one(leaf: Leaf, wanted: ColumnType) -> tuple[pa.Array, list[int]]:
    if leaf.json and not leaf.digits and wanted is not ColumnType.STRING:
        return pa.nulls(len(leaf.array), ARROW[wanted]), np.flatnonzero(np.asarray(leaf.array.is_valid())).tolist()
    convert = _CASTS[wanted]
    sent = leaf.array.to_pylist()
    values = [None if value is None else convert(value) for value in sent]
    lost = [row for row, value in enumerate(values) if value is None and sent[row] is not None]
    return pa.array(values, ARROW[wanted]), lost


def _as_boolean(value: object) -> bool | None:
    match value:
        case bool():
            return value
        case "true" | "false":
            return value == "true"
        case _:
            return None


def _as_integer(value: object) -> int | None:
    match value:
        case bool():
            return None
        case int():
            return value
        case float():
            return int(value) if value.is_integer() and MIN_LONG <= int(value) <= MAX_LONG else None
        case str() if (number := _decimal(value)) is not None and (not number or abs(number.adjusted()) < 30):
            return int(number) if number == int(number) and MIN_LONG <= int(number) <= MAX_LONG else None
        case _:
            return None


def _as_double(value: object) -> float | None:
    match value:
        case bool():
            return None
        case int():
            return float(value) if int(float(value)) == value else None
        case float():
            return value
        case str() if (number := _decimal(value)) is not None:
            double = float(value)
            return double if math.isfinite(double) and Decimal(repr(double)) == number else None
        case _:
            return None


def _as_json(value: bool | int | float | str) -> str:
    if not isinstance(value, str):
        return text(value)
    quoted = msgspec.json.encode(value).decode()
    # DuckDB writes control characters with upper-case digits; one spelling, whoever writes it.
    return _CONTROL.sub(lambda found: found[0][:2] + found[0][2:].upper(), quoted)


def _decimal(value: str) -> Decimal | None:
    if len(value) > _MAX_DIGITS or not _NUMBER.fullmatch(value):
        return None
    try:
        return Decimal(value)
    except InvalidOperation:
        return None


_CASTS: dict[ColumnType, Callable[..., object]] = {
    ColumnType.BOOLEAN: _as_boolean,
    ColumnType.INTEGER: _as_integer,
    ColumnType.DOUBLE: _as_double,
    ColumnType.TIMESTAMP: lambda _: None,
    ColumnType.STRING: text,
    ColumnType.JSON: _as_json,
}
