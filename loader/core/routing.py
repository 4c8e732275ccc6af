"""Blocks of lines → batches per table: the step that knows every line of a file and loses none.

A line is a row of some table, filtered, quarantined, or an envelope whose elements are looked at one by one.
The usual ones become rows in the compiled scanner; without it, they are grouped by table, to be read by Arrow.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import xxhash

from loader.core import calls, scanning
from loader.core.calls import Envelope, Head
from loader.core.grouping import grouped, signed
from loader.core.leaves import Path, Rows
from loader.core.lines import of
from loader.core.places import ELEMENT_BITS, row_key
from loader.core.routes import FILTERED, Route, Routes
from loader.core.rows import Batch

if TYPE_CHECKING:
    from loader.core._scanner import Scanner


@dataclass(slots=True)
class Routed:
    """What became of the lines of a block."""

    lines: int = 0
    events: int = 0
    filtered: int = 0
    scanned: int = 0  # rows that the scanner holds, of any table
    crowded: str | None = None  # the table of which it holds too much
    batches: list[tuple[Route, Batch]] = field(default_factory=list)
    odd: list[tuple[Route, Batch]] = field(default_factory=list)  # to be read one by one
    quarantined: list[tuple[int, str]] = field(default_factory=list)  # row key, reason
    ids: dict[int, str] = field(default_factory=dict)  # of rows sent without one


@dataclass(slots=True)
class Router:
    """Routes the blocks of a shard."""

    routes: Routes
    max_bytes: int = 1 << 26  # that the scanner may hold
    compiled: bool = scanning.COMPILED
    only: frozenset[str] = frozenset()  # tables that are wanted; all if empty
    scanner: "Scanner | None" = None
    tables: dict[str, tuple[int, Route]] = field(default_factory=dict)  # the scanner's, by name
    told: list[Route] = field(default_factory=list)  # by the scanner's codes
    paths: dict[Path, Path] = field(default_factory=dict)  # each once, for all tables

    def __post_init__(self) -> None:
        if self.compiled:
            self.scanner = scanning.scanner(self._opened, self.routes.policy, max_bytes=self.max_bytes)

    def route(self, block: bytes, file: int, first_line: int) -> Iterator[Routed]:
        """Yield where the lines of a block go. `first_line`: the number of the block's first line, from 1.

        Room must be made between what is yielded: the scanner stops when it holds `max_bytes`.
        """
        if self.scanner is None:
            yield self._grouped(block, file, first_line)
            return
        position, key = 0, row_key(file, first_line)
        while position < len(block):
            result = Routed()
            position, seen, result.scanned, crowded, refused, nameless, told = self.scanner.scan(block, position, key)
            key += seen << ELEMENT_BITS
            result.crowded = next((name for name, (number, _) in self.tables.items() if number == crowded), None)
            result.ids = {each: _made_id(block[start:stop]) for start, stop, each in nameless}
            result.lines = result.events = result.scanned + len(told)
            for code, each in told:
                if (reason := self.told[code].reason) is None:
                    result.scanned += 1  # a row, though not one of those that are wanted
                else:
                    _refuse(reason, [each], result)
            for start, stop, each in refused:
                self._single(block[start:stop], each, result)
            yield result

    def held(self) -> dict[str, int]:
        """Return the bytes that the scanner holds of each table."""
        sizes = self.scanner.sizes() if self.scanner else []
        return {name: sizes[number] for name, (number, _) in self.tables.items()}

    def taken(self, table: str) -> Rows | None:
        """Return the rows that the scanner holds of a table, if any; it holds none of them after."""
        if self.scanner is None or table not in self.tables:
            return None
        rows = scanning.rows(self.scanner, self.tables[table][0], self.paths)
        return rows if len(rows.keys) else None

    def _opened(self, kind: str, event: str | None) -> int:
        """Return the scanner's code for a type and an event name, −1 for what is not in the spec."""
        there = "looked for by the scanner, on each line"
        code = self.routes.code(Head(kind, event, userId=there, groupId=there, previousId=there))
        if code < 0 or self.scanner is None:
            return -1
        route, table = self.routes.targets[code], None
        if route.reason is None and (not self.only or route.table in self.only):
            if route.table not in self.tables:
                self.tables[route.table] = self.scanner.add_table(), route
            table = self.tables[route.table][0]
        self.told.append(route)
        return scanning.target(self.scanner, route.call, table)

    def _grouped(self, block: bytes, file: int, first_line: int) -> Routed:
        found = grouped(block, self.routes, file, first_line)
        result = Routed(ids={key: _made_id(line) for key, line in found.nameless})
        for code, batch in found.batches:
            route = self.routes.targets[code]
            result.lines += len(batch.keys)
            if route.reason is None:
                result.batches.append((route, batch))
            else:
                _refuse(route.reason, batch.keys.tolist(), result)
        result.events = result.lines
        for key, line in found.singles:
            self._single(line, key, result)
        return result

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
        route = self.routes.targets[self.routes.code(head)]
        if route.reason is not None:
            _refuse(route.reason, [key], result)
            return
        if not head.messageId:
            result.ids[key] = _made_id(content)
        hashes = signed([xxhash.xxh3_64_intdigest(content)])
        result.odd.append((route, Batch(of([event]), np.array([key], np.int64), hashes)))

    def _unreadable(self, line: bytes) -> str | None:
        if len(line) > self.routes.policy.max_line_bytes:
            return "line_too_long"
        try:
            line.decode()
        except UnicodeDecodeError:
            return "invalid_utf8"
        return None


def _refuse(reason: str, keys: Iterable[int], result: Routed) -> None:
    if reason == FILTERED:
        result.filtered += len(list(keys))
    else:
        result.quarantined += [(key, reason) for key in keys]


def _made_id(content: bytes) -> str:
    return "h_" + xxhash.xxh3_128_hexdigest(content)
