"""Blocks of lines → batches per table: the step that knows every line of a file and loses none.

A line is a row of some table, filtered, quarantined, or an envelope whose elements are looked at one by one.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pyarrow as pa
import xxhash

from loader.core import calls, spec
from loader.core.calls import Envelope, Head, Slices
from loader.core.lines import Ints, Lines, looks_like_objects, of, split
from loader.core.policy import Known, Policy
from loader.core.rows import Batch
from loader.core.schema import family

# A row key: which file of the load, which line, which element of an envelope.
_LINE_BITS, _ELEMENT_BITS = 27, 20
MAX_FILES = 1 << 16  # in one load
FILTERED = "filtered"
_RETURNED = re.compile(rb"\r\n")  # searched in place: a block is not copied for it


def row_key(file: int, line: int, element: int = 0) -> int:
    """Return the key of a row: orders rows by file, line and element, and fits a signed 64-bit integer."""
    return (((file << _LINE_BITS) | line) << _ELEMENT_BITS) | element


def place(key: int) -> tuple[int, int, int]:
    """Return the file's ordinal, the line's number and the element's index of a row key."""
    line = key >> _ELEMENT_BITS
    return line >> _LINE_BITS, line & ((1 << _LINE_BITS) - 1), key & ((1 << _ELEMENT_BITS) - 1)


FILE_SHIFT = _LINE_BITS + _ELEMENT_BITS


@dataclass(frozen=True, slots=True)
class Route:
    """Where a kind of event goes: a table, or the reason why nowhere."""

    table: str
    call: str
    reason: str | None = None  # FILTERED, or the reason of quarantine


@dataclass(slots=True)
class Routed:
    """What became of the lines of a block."""

    lines: int = 0
    events: int = 0
    filtered: int = 0
    batches: list[tuple[Route, Batch]] = field(default_factory=list)
    odd: list[tuple[Route, Batch]] = field(default_factory=list)  # to be read one by one
    quarantined: list[tuple[int, str]] = field(default_factory=list)  # row key, reason
    ids: dict[int, str] = field(default_factory=dict)  # of rows sent without one


@dataclass(slots=True)
class Router:
    """Routes the blocks of a shard; remembers where each event name goes."""

    known: Known
    policy: Policy
    routes: dict[tuple[str, str | None], int] = field(default_factory=dict)
    targets: list[Route] = field(default_factory=list)

    def route(self, block: bytes, file: int, first_line: int) -> Routed:
        """Return where each line of a block goes. `first_line`: the number of the block's first line, from 1."""
        lines = split(block)
        result = Routed()
        plain = looks_like_objects(lines) & self._short(lines)
        if not _utf8(lines):
            plain &= _valid_utf8(lines)
        chosen = np.flatnonzero(plain)
        some = lines if len(chosen) == len(lines) else lines.take(chosen)
        keys = row_key(file, first_line) + (chosen << _ELEMENT_BITS)
        refused = self._plain(some, keys, result)
        singles = [*np.flatnonzero(~plain).tolist(), *chosen[refused].tolist()]
        for index in sorted(singles):
            self._single(lines.line(index), row_key(file, first_line + index), result)
        result.lines += len(some) - len(refused)
        result.events += len(some) - len(refused)
        return result

    def _plain(self, lines: Lines, keys: Ints, result: Routed) -> list[int]:
        """Route lines that are objects, one on each; return the positions of those to look at one by one."""
        view, offsets = memoryview(lines.data), lines.offsets.tolist()
        heads = calls.heads(view, len(lines), Slices(view, offsets)) if len(lines) else []
        codes, refused, nameless = self._codes(heads)
        hashes = _hashes(view, offsets)
        for row in nameless:
            result.ids[int(keys[row])] = _made_id(lines.line(row))
        codes_array = np.array(codes, np.int64)
        order = np.argsort(codes_array, kind="stable")
        ordered = lines.take(order)
        bounds = np.searchsorted(codes_array[order], np.arange(len(self.targets) + 1))
        for code, (start, stop) in enumerate(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)):
            if start == stop:
                continue
            rows = order[start:stop]
            route = self.targets[code]
            if route.reason is None:
                batch = Batch(ordered.slice(start, stop), keys[rows], hashes[rows])
                result.batches.append((route, batch))
            else:
                self._refuse(route.reason, keys[rows].tolist(), result)
        return refused

    def _codes(self, heads: list[Head | None]) -> tuple[list[int], list[int], list[int]]:
        """Return each head's route, −1 where the line is to be looked at by itself; then the positions of those,
        and of the events without an id."""
        codes: list[int] = []
        refused: list[int] = []
        nameless: list[int] = []
        routes = self.routes
        for row, head in enumerate(heads):
            if head is not None and (head.userId or head.anonymousId):
                code = routes.get((head.type, head.event))  # type: ignore[arg-type]  # None is no key: not found
                if code is None:
                    code = self._code(head)
            else:
                code = -1
            if code < 0:
                refused.append(row)
            elif not head.messageId:  # type: ignore[union-attr]  # a head without a route is refused above
                nameless.append(row)
            codes.append(code)
        return codes, refused, nameless

    def _code(self, head: Head) -> int:
        if calls.objection(head) is not None or head.type is None:
            return -1
        kind = head.type.lower()
        code = len(self.targets)
        if kind in ("group", "alias"):  # their own key must be looked at on every line
            return self._shared(kind)
        if kind != "track":
            code = self._shared(kind)
        else:
            self.targets.append(self._target(kind, head.event or ""))
        self.routes[head.type, head.event] = code
        return code

    def _shared(self, kind: str) -> int:
        if (kind, "") not in self.routes:
            self.routes[kind, ""] = len(self.targets)
            self.targets.append(self._target(kind, ""))
        return self.routes[kind, ""]

    def _target(self, kind: str, event: str) -> Route:
        call = spec.CALLS[kind]
        table = call.table or spec.event_table(event)
        if not self.policy.events.takes([event if kind == "track" else kind]):
            return Route(table, kind, FILTERED)
        if self.policy.evolve != "evolve" and not {table, family(table, kind)} <= self.known.tables.keys():
            return Route(table, kind, "table_frozen" if self.policy.evolve == "freeze" else FILTERED)
        return Route(table, kind)

    def _single(self, line: bytes, key: int, result: Routed) -> None:
        """Route one line that is not plain."""
        if not line:
            return
        result.lines += 1
        reason = self._unreadable(line)
        verdict = reason or calls.diagnosis(line)
        if isinstance(verdict, Envelope):
            for index, element in enumerate(verdict.elements):
                result.events += 1
                self._event(element, line + b"#%d" % index, key + index, result)
            return
        result.events += 1
        if verdict is None:
            self._event(line, line, key, result)
        else:
            result.quarantined.append((key, verdict))

    def _event(self, event: bytes, content: bytes, key: int, result: Routed) -> None:
        """Route one event; `content` is what its hash and a missing id are made from."""
        verdict = calls.diagnosis(event)
        if isinstance(verdict, Envelope):
            verdict = "missing_type"
        if verdict is not None:
            result.quarantined.append((key, verdict))
            return
        head = calls.essentials(calls.storable(event))
        route = self.targets[self._code(head)]
        if route.reason is not None:
            self._refuse(route.reason, [key], result)
            return
        if not head.messageId:
            result.ids[key] = _made_id(content)
        hashes = _signed([xxhash.xxh3_64_intdigest(content)])
        result.odd.append((route, Batch(of([event]), np.array([key], np.int64), hashes)))

    def _refuse(self, reason: str, keys: Iterable[int], result: Routed) -> None:
        if reason == FILTERED:
            result.filtered += len(list(keys))
        else:
            result.quarantined += [(key, reason) for key in keys]

    def _unreadable(self, line: bytes) -> str | None:
        if len(line) > self.policy.max_line_bytes:
            return "line_too_long"
        try:
            line.decode()
        except UnicodeDecodeError:
            return "invalid_utf8"
        return None

    def _short(self, lines: Lines) -> np.ndarray:
        return np.diff(lines.offsets) <= self.policy.max_line_bytes


def _hashes(view: memoryview, offsets: list[int]) -> Ints:
    digest = xxhash.xxh3_64_intdigest
    spans = pairwise(offsets)
    if _RETURNED.search(view):  # no part of the line, as little as the newline
        values = [digest(bytes(view[start : stop - 1]).rstrip(b"\r")) for start, stop in spans]
    else:
        values = [digest(view[start : stop - 1]) for start, stop in spans]
    return _signed(values)


def _signed(hashes: list[int]) -> Ints:
    """Return unsigned hashes as signed numbers in the same order: warehouses have no unsigned ones."""
    return (np.array(hashes, np.uint64) ^ np.uint64(1 << 63)).view(np.int64)


def _made_id(content: bytes) -> str:
    return "h_" + xxhash.xxh3_128_hexdigest(content)


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
