"""Lines → batches per table without the compiled scanner: one native scan of their heads, and a sort by table."""

import re
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pyarrow as pa
import xxhash

from loader.core import calls
from loader.core.calls import Head, Slices
from loader.core.lines import Ints, Lines, looks_like_objects, split
from loader.core.places import ELEMENT_BITS, row_key
from loader.core.routes import Routes
from loader.core.rows import Batch

_RETURNED = re.compile(rb"\r\n")  # searched in place: a block is not copied for it


@dataclass(slots=True)
class Grouped:
    """The lines of a block by where they go."""

    batches: list[tuple[int, Batch]] = field(default_factory=list)  # code of the route
    nameless: list[tuple[int, bytes]] = field(default_factory=list)  # row key and line of events without an id
    singles: list[tuple[int, bytes]] = field(default_factory=list)  # row key and line of those to look at one by one


def grouped(block: bytes, routes: Routes, file: int, first_line: int) -> Grouped:
    """Return where each line of a block goes; the number of its first line is `first_line`."""
    lines = split(block)
    plain = looks_like_objects(lines) & (np.diff(lines.offsets) <= routes.policy.max_line_bytes)
    if not _utf8(lines):
        plain &= _valid_utf8(lines)
    chosen = np.flatnonzero(plain)
    some = lines if len(chosen) == len(lines) else lines.take(chosen)
    first = row_key(file, first_line)
    result, refused = _plain(some, first + (chosen << ELEMENT_BITS), routes)
    singles = [*np.flatnonzero(~plain).tolist(), *chosen[refused].tolist()]
    result.singles = [(first + (index << ELEMENT_BITS), lines.line(index)) for index in sorted(singles)]
    return result


def _plain(lines: Lines, keys: Ints, routes: Routes) -> tuple[Grouped, list[int]]:
    """Group lines that are objects, one on each; return the positions of those to look at one by one, too."""
    view, offsets = memoryview(lines.data), lines.offsets.tolist()
    heads = calls.heads(view, len(lines), Slices(view, offsets)) if len(lines) else []
    codes, refused, nameless = _codes(heads, routes)
    hashes = _hashes(view, offsets)
    result = Grouped(nameless=[(int(keys[row]), lines.line(row)) for row in nameless])
    codes_array = np.array(codes, np.int64)
    order = np.argsort(codes_array, kind="stable")
    ordered = lines.take(order)
    bounds = np.searchsorted(codes_array[order], np.arange(len(routes.targets) + 1)).tolist()
    for code, (start, stop) in enumerate(pairwise(bounds)):
        if start != stop:
            rows = order[start:stop]
            result.batches.append((code, Batch(ordered.slice(start, stop), keys[rows], hashes[rows])))
    return result, refused


def _codes(heads: list[Head | None], routes: Routes) -> tuple[list[int], list[int], list[int]]:
    """Return each head's route, −1 where the line is to be looked at by itself; then the positions of those,
    and of the events without an id."""
    codes: list[int] = []
    refused: list[int] = []
    nameless: list[int] = []
    known = routes.codes
    for row, head in enumerate(heads):
        if head is not None and (head.userId or head.anonymousId):
            code = known.get((head.type, head.event))  # type: ignore[arg-type]  # None is no key: not found
            if code is None:
                code = routes.code(head)
        else:
            code = -1
        if code < 0:
            refused.append(row)
        elif not head.messageId:  # type: ignore[union-attr]  # a head without a route is refused above
            nameless.append(row)
        codes.append(code)
    return codes, refused, nameless


def _hashes(view: memoryview, offsets: list[int]) -> Ints:
    digest = xxhash.xxh3_64_intdigest
    spans = pairwise(offsets)
    if _RETURNED.search(view):  # no part of the line, as little as the newline
        values = [digest(bytes(view[start : stop - 1]).rstrip(b"\r")) for start, stop in spans]
    else:
        values = [digest(view[start : stop - 1]) for start, stop in spans]
    return signed(values)


def signed(hashes: list[int]) -> Ints:
    """Return unsigned hashes as signed numbers in the same order: warehouses have no unsigned ones."""
    return (np.array(hashes, np.uint64) ^ np.uint64(1 << 63)).view(np.int64)


def _utf8(lines: Lines) -> bool:
    try:
        offsets = pa.py_buffer(np.array([0, lines.data.size], np.int32))
        pa.Array.from_buffers(pa.string(), 1, [None, offsets, lines.data]).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _valid_utf8(lines: Lines) -> np.ndarray:
    found = np.ones(len(lines), bool)
    for index in range(len(lines)):
        try:
            lines.line(index).decode()
        except UnicodeDecodeError:
            found[index] = False
    return found
