"""A shard's files → Parquet parts per table, and a report. The unit of parallel work, repeatable at any time.

    read → unpack → blocks of lines → route to tables → Arrow per table → parts

Lines wait per table until there are enough for one native call; rows wait until a part is worth writing. Both wait
within a budget of bytes, so memory does not grow with files, events or event names. Files come and parts go through
the two callables given: nothing here touches storage, so that a shard done twice writes the same parts again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from loader.core import exact, scanning, spec
from loader.core.bounds import MAX_AT, MIN_AT
from loader.core.building import Builder
from loader.core.compression import unpacked
from loader.core.leaves import Rows
from loader.core.limits import cut
from loader.core.lines import NEWLINE, blocks
from loader.core.objects import File
from loader.core.parts import encoded, quarantine_table, rejects_table
from loader.core.places import FILE_SHIFT, MAX_LINES, place
from loader.core.policy import Known, Policy
from loader.core.rejects import Reject
from loader.core.report import BadFile, Counts, Part, Report, TableReport
from loader.core.routes import Route, Routes
from loader.core.routing import Routed, Router
from loader.core.rows import Batch, Reader, gathered
from loader.core.system import roots, text_paths
from loader.core.tracks import projected
from loader.errors import AccessError, CorruptFileError, ObjectChangedError

MIB = 1 << 20
Read = Callable[[File], Iterator[bytes]]
Write = Callable[[str, pa.Buffer], None]


@dataclass(frozen=True, slots=True)
class Input:
    """A file of a shard."""

    ordinal: int  # in the load
    file: File
    partition_at: int  # start of its partition, microseconds since 1970


@dataclass(frozen=True, slots=True)
class Shard:
    """A list of files of bounded bytes, and what is needed to turn them into parts."""

    index: int
    inputs: tuple[Input, ...]
    prefix: str  # of the keys of its parts in staging
    policy: Policy
    known: Known = field(default_factory=Known)
    memory_bytes: int = 192 * MIB  # budget of one worker above the interpreter and its libraries
    only: frozenset[str] = frozenset()  # tables to write; all if empty
    packed: bool = True  # whether parts are compressed
    compiled: bool = scanning.COMPILED  # whether the compiled scanner reads the lines


@dataclass(slots=True)
class _Table:
    """Lines and rows of one table that wait."""

    route: Route
    reader: Reader
    builder: Builder
    batches: list[Batch] = field(default_factory=list)
    odd: list[Batch] = field(default_factory=list)
    waiting_bytes: int = 0
    parts: list[Part] = field(default_factory=list)


def shred(shard: Shard, read: Read, write: Write) -> Report:
    """Write the parts of a shard, and return what was found.

    Damaged or vanished files are left out whole and named in the report. Called twice, it writes the same parts.
    StorageError, CapacityError where reading or writing fails otherwise.
    """
    bad: dict[int, BadFile] = {}
    while True:
        work = _Work(shard, write, {each for each in shard.inputs if each.ordinal not in bad})
        found = work.run(read)
        if isinstance(found, Report):
            return found if not bad else _with_bad(found, bad)
        # Rows of this file are in parts already: find all such files, then begin again without them.
        bad |= {found.file: found} | _damaged(shard.inputs, read, bad.keys() | {found.file})


def _with_bad(report: Report, bad: Mapping[int, BadFile]) -> Report:
    files = sorted((*report.bad_files, *bad.values()), key=lambda each: each.file)
    return Report(report.tables, report.counts, tuple(files), report.rejects, report.quarantine)


def _damaged(inputs: Sequence[Input], read: Read, known: set[int]) -> dict[int, BadFile]:
    bad = {}
    for each in inputs:
        if each.ordinal not in known:
            try:
                for _ in unpacked(read(each.file)):
                    pass
            except (CorruptFileError, ObjectChangedError, AccessError) as error:
                bad[each.ordinal] = _bad(each, error)
    return bad


def _bad(each: Input, error: CorruptFileError | ObjectChangedError | AccessError) -> BadFile:
    match error:
        case CorruptFileError():
            return BadFile(each.ordinal, error.reason, str(error))
        case ObjectChangedError():
            return BadFile(each.ordinal, "changed", str(error))
        case _:
            return BadFile(each.ordinal, "unreadable", str(error))


class _Work:
    """One attempt at a shard."""

    def __init__(self, shard: Shard, write: Write, inputs: set[Input]) -> None:
        self.shard, self.write = shard, write
        self.inputs = [each for each in shard.inputs if each in inputs]
        self.block_bytes = max(shard.memory_bytes // 16, MIB)
        self.batch_bytes = max(shard.memory_bytes // 24, MIB)
        self.waiting_limit = shard.memory_bytes // 6
        self.rows_limit = shard.memory_bytes // 4
        if shard.compiled:  # no lines wait but the few that the scanner refuses
            self.rows_limit += self.waiting_limit
        held = self.rows_limit + 2 * self.block_bytes
        self.router = Router(Routes(shard.known, shard.policy), held, shard.compiled, shard.only)
        self.tables: dict[str, _Table] = {}
        self.counts: dict[int, Counts] = {}
        self.rejects: list[Reject] = []
        self.quarantined: list[tuple[int, str]] = []
        self.keys: dict[str, list[str]] = {"rejects": [], "quarantine": []}
        self.ids: dict[int, str] = {}
        last = max((each.ordinal for each in shard.inputs), default=0)
        self.partition_at = np.zeros(last + 1, np.int64)
        for each in shard.inputs:
            self.partition_at[each.ordinal] = each.partition_at

    def run(self, read: Read) -> Report | BadFile:
        """Return the report, or the file that turned out damaged after some of its rows were taken."""
        bad: list[BadFile] = []
        for each in self.inputs:
            found, taken = self._file(each, read)
            if found is not None and taken:
                return found
            bad += [found] if found is not None else []
        for table in self.tables.values():  # one after the other: thousands of small ones are mostly overhead
            self._read(table)
            self._write(table)
        self._write_notes(at_least=1)
        self._book_values()
        tables = {
            name: TableReport(each.route.call, each.builder.found, tuple(each.parts))
            for name, each in self.tables.items()
            if each.parts  # all lines may have turned out to be no events
        }
        rejects, quarantine = tuple(self.keys["rejects"]), tuple(self.keys["quarantine"])
        return Report(tables | projected(tables), self.counts, tuple(bad), rejects, quarantine)

    def _file(self, each: Input, read: Read) -> tuple[BadFile | None, bool]:
        """Take a file's lines; return what is wrong with it, and whether some of its lines were taken."""
        self.counts[each.ordinal] = Counts()
        line, most = 1, self.shard.policy.max_line_bytes
        try:
            for block in blocks(unpacked(read(each.file)), self.block_bytes, max_line_bytes=most):
                count = int(np.count_nonzero(np.frombuffer(block, np.uint8) == NEWLINE))
                if line + count > MAX_LINES:
                    raise CorruptFileError("too_many_lines", f"a file may have {MAX_LINES:,} lines; split it")
                for routed in self.router.route(block, each.ordinal, line):
                    self._take(routed, each.ordinal)
                line += count
        except (CorruptFileError, ObjectChangedError, AccessError) as error:
            return _bad(each, error), line > 1
        return None, line > 1

    def _take(self, routed: Routed, file: int) -> None:
        quarantined = len(routed.quarantined)
        rows = routed.scanned + sum(len(batch.lines) for _, batch in (*routed.batches, *routed.odd))
        self.counts[file] = self.counts[file].plus(
            Counts(routed.lines, routed.events, rows, routed.filtered, quarantined)
        )
        self.quarantined += routed.quarantined
        self.ids |= routed.ids
        for route, batch in routed.batches:
            self._wait(route, batch, odd=False)
        for route, batch in routed.odd:
            self._wait(route, batch, odd=True)
        held = self.router.held()
        for name, size in held.items():
            if size:
                self._table(self.router.tables[name][1])
        if routed.crowded is not None:
            self._read(self.tables[routed.crowded])
        self._make_room(held)

    def _wait(self, route: Route, batch: Batch, *, odd: bool) -> None:
        if self.shard.only and route.table not in self.shard.only:
            return
        table = self._table(route)
        (table.odd if odd else table.batches).append(batch)
        table.waiting_bytes += batch.lines.data.size
        if table.waiting_bytes >= self.batch_bytes:
            self._read(table)

    def _table(self, route: Route) -> _Table:
        if route.table not in self.tables:
            call = spec.CALLS[route.call]
            reader = Reader(roots(call), self.shard.policy.max_depth, texts=text_paths(call))
            builder = Builder(route.table, call, self.shard.known, self.shard.policy)
            self.tables[route.table] = _Table(route, reader, builder)
        return self.tables[route.table]

    def _make_room(self, held: Mapping[str, int]) -> None:
        """Read the largest tables until the lines that wait, and write until the rows that wait, fit the budget."""
        waiting = sum(table.waiting_bytes for table in self.tables.values())
        for table in sorted(self.tables.values(), key=lambda each: -each.waiting_bytes):
            if waiting <= self.waiting_limit:
                break
            waiting -= table.waiting_bytes
            self._read(table)
        sizes = {name: table.builder.size + held.get(name, 0) for name, table in self.tables.items()}
        size = sum(sizes.values())
        for name in sorted(sizes, key=lambda each: -sizes[each]):
            if size <= self.rows_limit:
                break
            size -= sizes[name]
            self._read(self.tables[name])
            self._write(self.tables[name])
        self._write_notes(at_least=50_000)

    def _read(self, table: _Table) -> None:
        """Turn the lines that wait into rows."""
        if (scanned := self.router.taken(table.route.table)) is not None:
            self._add(table, iter([scanned]))
        if table.batches:
            self._add(table, table.reader.read(gathered(table.batches)))
        if table.odd:
            odd = gathered(table.odd)
            self._add(table, exact.rows(odd.lines, odd.keys, odd.hashes, table.reader.roots, table.reader.max_depth))
        table.batches, table.odd, table.waiting_bytes = [], [], 0

    def _add(self, table: _Table, found: Iterator[Rows]) -> None:
        for rows in found:
            table.builder.add(rows, self.ids)
            for key, reason in rows.refused:
                self.quarantined.append((key, reason))
                file = place(key)[0]
                self.counts[file] = self.counts[file].plus(Counts(rows=-1, quarantined=1))

    def _write(self, table: _Table) -> None:
        """Turn the rows that wait into a part."""
        builder = table.builder
        if not builder.rows:
            return
        rows, overflow = builder.rows, tuple(sorted(builder.overflow))
        files = np.concatenate([group.keys for group in builder.groups]) >> FILE_SHIFT
        data, types = builder.part(self.partition_at[files])
        self.rejects += builder.rejects
        builder.rejects = []
        received = np.asarray(data["received_at"].cast(pa.int64()))
        key = f"{self.shard.prefix}{table.route.table}/{self.shard.index:05}-{len(table.parts):03}.parquet"
        buffer = encoded(data, packed=self.shard.packed)
        self.write(key, buffer)
        bounds = int(received.min(initial=MAX_AT)), int(received.max(initial=MIN_AT))
        table.parts.append(Part(key, rows, buffer.size, types, overflow, *bounds))

    def _write_notes(self, *, at_least: int) -> None:
        """Write the rejects and the quarantined lines that wait, if there are so many."""
        for name, notes in (("rejects", self.rejects), ("quarantine", self.quarantined)):
            if len(notes) < at_least:
                continue
            key = f"{self.shard.prefix}_{name}/{self.shard.index:05}-{len(self.keys[name]):03}.parquet"
            limit = self.shard.policy.max_text_bytes
            table = rejects_table(cut(self.rejects, limit)) if name == "rejects" else quarantine_table(self.quarantined)
            if name == "rejects":
                for each in self.rejects:
                    file = place(each.key)[0]
                    self.counts[file] = self.counts[file].plus(Counts(rejects=1))
            self.write(key, encoded(table))
            self.keys[name].append(key)
            notes.clear()

    def _book_values(self) -> None:
        """Count the values that were dropped; they belong to no file in particular."""
        dropped = sum(table.builder.discarded for table in self.tables.values())
        if self.counts:
            first = min(self.counts)
            self.counts[first] = self.counts[first].plus(Counts(discarded_values=dropped))
