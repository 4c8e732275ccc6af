"""Lines of one table → leaves: a typed Arrow array for each path of keys that holds values.

Arrow's JSON reader does the work, and wants each path to hold one kind of value. Where rows differ,
they are split by the kind they hold and read apart, so that dirty data stays on the native path; single odd
rows, and what Arrow would round or refuse, go through `loader.core.exact`. Arrays and deep objects are JSON text,
cut out of the lines as they were sent.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from loader.core import exact
from loader.core.cutting import blanked, cut, first_bytes
from loader.core.leaves import Leaf, Path, Rows
from loader.core.lines import Ints, Lines, joined
from loader.core.types import MAX_EXACT

_CONFLICT = re.compile(r"JSON parse error: Column\((/.*)\) changed from \w+ to \w+ in row \d+", re.DOTALL)
_NUL = re.compile(b"\0")
_CHUNK_BYTES = 1 << 20
_MAX_CELLS = 4 << 20  # rows × paths of rows that are put together
_EXACT_ROWS = 250
_FEW = 24  # rows below which reading them one by one is cheaper than another native call
_TEXT, _OBJECT = ord('"'), ord("{")  # first bytes of values
_DEEP = 50  # Arrow types nested deeper than this are worth counting brackets for


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines of one table, and for each the row key and the content hash."""

    lines: Lines
    keys: Ints
    hashes: Ints

    def take(self, order: Ints) -> "Batch":
        return Batch(self.lines.take(order), self.keys[order], self.hashes[order])


Native = list[tuple[Batch, list[Leaf]]]


@dataclass(slots=True)
class Reader:
    """Reads the batches of one table, and remembers what made earlier ones hard."""

    roots: Sequence[str]  # top-level keys that matter
    max_depth: int
    texts: set[Path] = field(default_factory=set)  # paths Arrow would take for timestamps: kept as sent
    mixed: set[Path] = field(default_factory=set)  # paths that hold more than one kind of value
    ragged: set[Path] = field(default_factory=set)  # arrays whose elements differ in kind
    width: int = 4096  # paths of the last chunk; at first unknown, so the first chunk has few rows

    def read(self, batch: Batch) -> Iterator[Rows]:
        """Yield the rows of a batch. Their order is not kept.

        Lines are read in small chunks, so that a chunk which has to be read again costs little.
        """
        native: Native = []
        odd: list[Batch] = []
        rows, paths = 0, set[Path]()
        for chunk in _chunks(batch, self):
            before = len(native)
            self._native(chunk, {}, native, odd)
            rows += len(chunk.keys)
            paths |= {leaf.path for _, leaves in native[before:] for leaf in leaves}
            if rows * len(paths) > _MAX_CELLS:  # wide and sparse: as one table it would be mostly nulls
                yield _together(native)
                native, rows, paths = [], 0, set()
        if native:
            yield _together(native)
        if odd:
            rest = gathered(odd)
            for part in _portions(rest):
                yield from exact.rows(part.lines, part.keys, part.hashes, self.roots, self.max_depth)

    def _native(self, batch: Batch, kinds: dict[Path, int], native: Native, odd: list[Batch]) -> None:
        """Read a chunk, adding to `native`; rows that must be read one by one are added to `odd`."""
        if len(batch.lines) < _FEW:
            odd.append(batch)
            return
        shown = batch.lines
        for path in self.ragged:
            shown = blanked(shown, path)
        try:
            table = self._parsed(shown, kinds)
        except pa.ArrowInvalid as error:
            self._apart(batch, str(error), native, odd)
            return
        if _deep(table):
            odd.append(batch)
        elif dates := {path for path, kind in _typed(table.schema) if pa.types.is_timestamp(kind)}:
            self.texts |= dates
            self._native(batch, kinds, native, odd)
        else:
            leaves, bent = self._leaves(table, batch.lines)
            self.width = len(leaves)
            if bent.any():
                odd.append(batch.take(np.flatnonzero(bent)))
                batch = batch.take(np.flatnonzero(~bent))
                leaves = [Leaf(leaf.path, leaf.array.filter(pa.array(~bent)), json=leaf.json) for leaf in leaves]
            native.append((batch, leaves))

    def _apart(self, batch: Batch, error: str, native: Native, odd: list[Batch]) -> None:
        """Read a chunk that Arrow refuses: split by the kinds on the paths known to be mixed, or in halves."""
        known = len(self.mixed), len(self.ragged)
        if match := _CONFLICT.fullmatch(error):
            keys = tuple(match[1][1:].split("/"))
            if "[]" not in keys:
                self.mixed.add(keys)
            elif path := keys[: keys.index("[]")]:
                self.ragged.add(path)
        paths = sorted(self.mixed)
        firsts = np.array([first_bytes(batch.lines, path) for path in paths]).reshape(len(paths), len(batch.lines))
        groups, members = np.unique(firsts, axis=1, return_inverse=True)
        if groups.shape[1] > 1 or known != (len(self.mixed), len(self.ragged)):
            for number in range(groups.shape[1]):
                kinds = dict(zip(paths, groups[:, number].tolist(), strict=True))
                self._native(batch.take(np.flatnonzero(members == number)), kinds, native, odd)
            return
        middle = len(batch.lines) // 2
        for half in (np.arange(middle), np.arange(middle, len(batch.lines))):
            self._native(batch.take(half), {}, native, odd)

    def _parsed(self, lines: Lines, kinds: dict[Path, int]) -> pa.Table:
        texts = {path for path in self.texts if _is_text(path, kinds)}
        options = pj.ParseOptions(explicit_schema=_schema(texts), unexpected_field_behavior="infer")
        block = pj.ReadOptions(use_threads=False, block_size=max(lines.data.size, 1))
        return pj.read_json(pa.BufferReader(lines.data), read_options=block, parse_options=options)

    def _leaves(self, table: pa.Table, lines: Lines) -> tuple[list[Leaf], np.ndarray]:
        """Return the leaves, and which rows Arrow bent: integers rounded to doubles, or NUL in a string."""
        leaves: list[Leaf] = []
        texts: list[Path] = []
        bent = np.zeros(len(lines), bool)
        for path, array in self._walk(table):
            kind = array.type
            if pa.types.is_list(kind) or pa.types.is_struct(kind):
                texts.append(path)
                continue
            if pa.types.is_floating(kind):
                bent |= _rounded(array)
            elif pa.types.is_string(kind) and _has_nul(array):
                bent |= np.asarray(pc.match_substring(array, "\0").fill_null(False))
            leaves.append(Leaf(path, array))
        if texts:
            found = [Leaf(path, text, json=True) for path, text in cut(lines, texts) if text.null_count < len(text)]
            for leaf in found:
                bent |= np.asarray(pc.match_substring(leaf.array, "\\u0000").fill_null(False))
            leaves += found
        return leaves, bent

    def _walk(self, table: pa.Table) -> Iterator[tuple[Path, pa.Array]]:
        for name, column in zip(table.column_names, table.columns, strict=True):
            if name in self.roots:
                yield from self._below((name,), column.chunk(0) if column.num_chunks else None)

    def _below(self, path: Path, array: pa.Array | None) -> Iterator[tuple[Path, pa.Array]]:
        if array is None or pa.types.is_null(array.type):
            return
        if not pa.types.is_struct(array.type):
            if array.null_count < len(array):
                yield path, array
            return
        if len(path) > self.max_depth:
            if array.type.num_fields:
                yield path, array
            return
        for index in range(array.type.num_fields):
            yield from self._below((*path, array.type.field(index).name), array.field(index))


def gathered(batches: Sequence[Batch]) -> Batch:
    """Return one batch of all."""
    if len(batches) == 1:
        return batches[0]
    return Batch(
        joined(batch.lines for batch in batches),
        np.concatenate([batch.keys for batch in batches]),
        np.concatenate([batch.hashes for batch in batches]),
    )


def _chunks(batch: Batch, reader: Reader) -> Iterator[Batch]:
    """Yield the batch in pieces of about `_CHUNK_BYTES`, and of fewer rows where the last piece was wide."""
    offsets, start = batch.lines.offsets, 0
    while start < len(batch.lines):
        most = start + max(_MAX_CELLS // 8 // max(reader.width, 1), _FEW)
        stop = int(np.searchsorted(offsets, offsets[start] + _CHUNK_BYTES, side="right")) - 1
        stop = min(max(stop, start + 1), len(batch.lines), most)
        yield Batch(batch.lines.view(start, stop), batch.keys[start:stop], batch.hashes[start:stop])
        start = stop


def _portions(batch: Batch) -> Iterator[Batch]:
    """Yield the batch in pieces of few rows: each may have columns of its own."""
    for start in range(0, len(batch.lines), _EXACT_ROWS):
        stop = min(start + _EXACT_ROWS, len(batch.lines))
        yield Batch(batch.lines.view(start, stop), batch.keys[start:stop], batch.hashes[start:stop])


def _together(native: Native) -> Rows:
    """Return the rows of all chunks as one: per path and type one array, null where a chunk has none."""
    if len(native) == 1:
        return Rows(native[0][0].keys, native[0][0].hashes, native[0][1])
    sizes = [len(batch.keys) for batch, _ in native]
    columns: dict[tuple[Path, pa.DataType, bool], dict[int, pa.Array]] = {}
    for number, (_, leaves) in enumerate(native):
        for leaf in leaves:
            columns.setdefault((leaf.path, leaf.array.type, leaf.json), {})[number] = leaf.array
    whole = []
    for (path, kind, json), arrays in columns.items():
        pieces = [arrays[number] if number in arrays else pa.nulls(size, kind) for number, size in enumerate(sizes)]
        whole.append(Leaf(path, pa.concat_arrays(pieces), json=json))
    keys = np.concatenate([batch.keys for batch, _ in native])
    return Rows(keys, np.concatenate([batch.hashes for batch, _ in native]), whole)


def _has_nul(array: pa.Array) -> bool:
    data = array.buffers()[2]
    return data is not None and _NUL.search(data) is not None


def _is_text(path: Path, kinds: dict[Path, int]) -> bool:
    """Return whether the strings at a path can be asked for, where the kinds at mixed paths are these."""
    parents = all(kinds.get(path[:length], _OBJECT) == _OBJECT for length in range(1, len(path)))
    return parents and kinds.get(path, _TEXT) == _TEXT


def _rounded(array: pa.Array) -> np.ndarray:
    """Return the rows whose number may have been an integer that a double rounds."""
    values = np.asarray(array.fill_null(0.0))
    return np.asarray(~(np.abs(values) < MAX_EXACT))


def _typed(schema: pa.Schema) -> Iterator[tuple[Path, pa.DataType]]:
    stack: list[tuple[Path, pa.Field]] = [((), each) for each in schema]
    while stack:
        path, each = stack.pop()
        path = (*path, each.name)
        if pa.types.is_struct(each.type):
            stack += [(path, each.type.field(index)) for index in range(each.type.num_fields)]
        else:
            yield path, each.type


def _deep(table: pa.Table) -> bool:
    return any(_depth(each.type, 0) >= _DEEP for each in table.schema)


def _depth(kind: pa.DataType, depth: int) -> int:
    if depth >= _DEEP:
        return depth
    if pa.types.is_list(kind):
        return _depth(kind.value_type, depth + 1)
    if pa.types.is_struct(kind):
        return max((_depth(kind.field(index).type, depth + 1) for index in range(kind.num_fields)), default=depth)
    return depth


def _schema(paths: set[Path]) -> pa.Schema | None:
    """Return the schema that says of each path that it is a string."""
    if not paths:
        return None
    tree: dict[str, dict[str, object]] = {}
    for path in sorted(paths):
        node = tree
        for key in path[:-1]:
            node = node.setdefault(key, {})  # type: ignore[assignment]  # a tree of unknown depth
        node[path[-1]] = {}
    return pa.schema(_fields(tree))


def _fields(tree: dict[str, dict[str, object]]) -> list[pa.Field]:
    return [
        pa.field(key, pa.struct(_fields(below)) if below else pa.string())  # type: ignore[arg-type]  # same tree
        for key, below in tree.items()
    ]
