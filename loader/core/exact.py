"""One line at a time, with every value as it was sent: slow, for the rows that the native reader would bend.

Numbers beyond 64 bits keep their digits as strings; of a key that comes twice the last counts and the others are
remarked; NUL and lone surrogates become U+FFFD and the value as sent is remarked.
"""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from loader.core.calls import MAX_NESTING, nesting, storable
from loader.core.leaves import Leaf, Path, Remark, Rows
from loader.core.lines import Ints, Lines
from loader.core.types import MAX_LONG, MIN_LONG

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
OBJECTS = frozenset({"context", "properties", "traits"})  # the top-level keys whose objects are walked
_NO_ROWS = np.array([], np.int64)
_ARROW = {"boolean": pa.bool_(), "integer": pa.int64(), "double": pa.float64(), "string": pa.string()}


class Value(NamedTuple):
    """A value that is no object to walk: `kind` is boolean, integer, double, string, json or digits."""

    path: Path
    kind: str
    value: bool | int | float | str


def rows(lines: Lines, keys: Ints, hashes: Ints, roots: Sequence[str], max_depth: int) -> Iterator[Rows]:
    """Yield the rows of lines, each read by itself. `roots` are the top-level keys that matter."""
    values: list[list[Value]] = []
    remarks: list[Remark] = []
    deep: list[int] = []
    for index in range(len(lines)):
        line = lines.line(index)
        if nesting(line) > MAX_NESTING:
            deep.append(index)
            values.append([])
            continue
        clean = storable(line)
        values.append(list(_walk(clean, roots, max_depth)))
        key = int(keys[index])
        remarks += [Remark(key, *each) for each in _repeated(line, roots, max_depth)]
        if clean is not line:
            remarks += [Remark(key, *each) for each in _unstorable(line, clean, roots, max_depth)]
    if deep:
        yield Rows(_NO_ROWS, _NO_ROWS, [], refused=[(int(keys[row]), "too_deep") for row in deep])
        good = np.setdiff1d(np.arange(len(lines)), deep)
        keys, hashes, values = keys[good], hashes[good], [values[row] for row in good]
    if values:
        yield Rows(keys, hashes, _leaves(values), remarks)


def _walk(line: bytes, roots: Sequence[str], max_depth: int) -> Iterator[Value]:
    top = _OBJECT.decode(line)
    for root in roots:
        if root in top:
            yield from _below((root,), top[root], max_depth)


def _below(path: Path, raw: msgspec.Raw, max_depth: int) -> Iterator[Value]:
    text = bytes(raw)
    match text[:1]:
        case b"n":
            return
        case b"t" | b"f":
            yield Value(path, "boolean", text == b"true")
        case b'"':
            yield Value(path, "string", msgspec.json.decode(text, type=str))
        case b"[":
            yield Value(path, "json", text.decode())
        case b"{":
            below = _OBJECT.decode(raw)
            if path[0] not in OBJECTS or (below and len(path) > max_depth):
                yield Value(path, "json", text.decode())
                return
            for key, value in below.items():
                yield from _below((*path, key), value, max_depth)
        case _:
            yield number(path, text.decode())


def number(path: Path, text: str) -> Value:
    """Return a number by its text; beyond 64 bits, or beyond binary64, that is its value."""
    if text.lstrip("-").isdigit():
        integer = int(text) if len(text) <= 20 else MAX_LONG + 1
        return Value(path, "integer", integer) if MIN_LONG <= integer <= MAX_LONG else Value(path, "digits", text)
    double = float(text)
    return Value(path, "double", double) if math.isfinite(double) else Value(path, "digits", text)


def _leaves(values: list[list[Value]]) -> list[Leaf]:
    columns: dict[tuple[Path, str], list[Any]] = {}
    for row, found in enumerate(values):
        for each in found:
            columns.setdefault((each.path, each.kind), [None] * len(values))[row] = each.value
    return [
        Leaf(path, pa.array(column, _ARROW.get(kind, pa.string())), kind in ("json", "digits"), kind == "digits")
        for (path, kind), column in columns.items()
    ]


def _unstorable(line: bytes, clean: bytes, roots: Sequence[str], max_depth: int) -> Iterator[tuple[Path, str, str]]:
    """Yield path, JSON text as sent, reason of each leaf that `storable` changed. Both lines have one length."""
    base = pa.py_buffer(clean).address
    top = _OBJECT.decode(clean)
    stack: list[tuple[Path, msgspec.Raw]] = [((root,), top[root]) for root in roots if root in top]
    while stack:
        path, raw = stack.pop()
        view = memoryview(raw)
        start = pa.py_buffer(raw).address - base
        sent = line[start : start + len(view)]
        if sent == view:
            continue
        if bytes(view[:1]) == b"{" and len(path) <= max_depth and path[0] in OBJECTS:
            stack += [((*path, key), value) for key, value in _OBJECT.decode(raw).items()]
        else:
            yield path, sent.decode(), "unstorable_text"


class _Pairs(list[tuple[str, Any]]):
    """An object with all its keys, also those that come twice."""


class _Digits(str):
    """A number as it was sent; text that needs no writing."""


_PAIRS = json.JSONDecoder(object_pairs_hook=_Pairs, parse_int=_Digits, parse_float=_Digits)


def _repeated(line: bytes, roots: Sequence[str], max_depth: int) -> Iterator[tuple[Path, str, str]]:
    """Yield path, JSON text, reason of each value whose key comes again later in the same object."""
    top = dict(_PAIRS.decode(line.decode()))
    stack: list[tuple[Path, _Pairs]] = [
        ((root,), top[root]) for root in roots if root in OBJECTS and isinstance(top.get(root), _Pairs)
    ]
    while stack:
        path, pairs = stack.pop()
        last = {key: position for position, (key, _) in enumerate(pairs)}
        for position, (key, value) in enumerate(pairs):
            if position != last[key]:
                if value is not None:
                    yield (*path, key), _text(value), "duplicate_key"
            elif isinstance(value, _Pairs) and len(path) < max_depth:
                stack.append(((*path, key), value))


def _text(value: Any) -> str:
    """Return the JSON text of a parsed value, which may be nested too deep for recursion; numbers as they were sent."""
    written: list[str] = []
    waiting = [value]
    while waiting:
        match waiting.pop():
            case _Pairs() as pairs:
                waiting.append(_Digits("}"))
                for left, (key, each) in enumerate(reversed(pairs), 1 - len(pairs)):
                    waiting += (each, _Digits(("," if left else "") + json.dumps(key) + ":"))
                waiting.append(_Digits("{"))
            case list() as members:
                waiting.append(_Digits("]"))
                for left, each in enumerate(reversed(members), 1 - len(members)):
                    waiting += (each, _Digits("," if left else ""))
                waiting.append(_Digits("["))
            case _Digits() as ready:
                written.append(ready)
            case other:
                written.append(json.dumps(other))  # not msgspec: a lone surrogate, as sent, is an escape here
    return "".join(written)
