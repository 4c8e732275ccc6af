"""Leaves → the columns of one table: names, collisions, types, limits, and what a column cannot hold.

A builder gathers the rows of one table in one shard, and turns them into parts. Types are those of the tables that
are known; a new column's type is decided by all that the builder has seen when the part is made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from loader.core import cast, spec, system
from loader.core.leaves import Leaf, Path, Rows, blank_as_null, first_key, missing, precedence, spelled
from loader.core.limits import TOO_LONG, shortened, too_long, without
from loader.core.lines import Ints
from loader.core.overflow import folded
from loader.core.policy import Known, Policy
from loader.core.rejects import Reject, as_sent
from loader.core.report import BOTH, EITHER, HASH, JSON, MIXED, ROW, TEXT, Found
from loader.core.schema import OVERFLOW_COLUMNS, Column, family, widened
from loader.core.spec import CONTEXT_OVERFLOW, OVERFLOW, Call
from loader.core.types import ColumnType, Kind, column_type

_STRINGS = Kind.STRING | Kind.TIMESTAMP
_ARRAY_BYTES = 1024  # of an array beside its values: with thousands of small tables it is most of the memory


@dataclass(frozen=True, slots=True)
class Group:
    """Rows whose leaves have their columns: per column the leaves, the one that counts first coming first."""

    keys: Ints
    hashes: Ints
    ids: pa.Array
    columns: dict[str, list[Leaf]]
    lowest: int  # row, the one with the smallest key


@dataclass(slots=True)
class Builder:
    """The rows of one table, on the way into parts."""

    table: str
    call: Call
    known: Known
    policy: Policy
    names: dict[Path, str | None] = field(default_factory=dict)
    found: dict[str, Found] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)  # columns of rows so far, but for those in the overflow
    overflow: set[str] = field(default_factory=set)
    rejects: list[Reject] = field(default_factory=list)
    discarded: int = 0
    blanks: set[Path] = field(default_factory=set)  # paths where "" is null
    ours: Mapping[str, Column] = field(init=False)  # known columns of the table, but for those of the context
    shared: Mapping[str, Column] = field(init=False)  # of the table that decides about these
    size: int = 0  # bytes of the groups
    rows: int = 0

    def __post_init__(self) -> None:
        self.blanks = system.text_paths(self.call) - {(key,) for key in spec.TIMES.values()}
        self.ours = self.known.tables.get(self.table, {})
        self.shared = self.known.tables.get(family(self.table, self.call.type), {})

    def add(self, rows: Rows, ids: dict[int, str]) -> None:
        """Take rows; `ids` has the ids of those that were sent without one."""
        if not len(rows.keys):
            return
        sent = system.ids(rows, ids)
        fitting, lowest = shortened(sent, self.policy.max_text_bytes), int(rows.keys.argmin())
        group = Group(rows.keys, rows.hashes, fitting, self._columns(rows), lowest)
        for row in too_long(sent, ColumnType.STRING, max_text_bytes=self.policy.max_text_bytes, max_json_bytes=0):
            self._reject(group, row, "id", cast.json_text(Leaf((), sent), row), TOO_LONG)
        position = {int(key): row for row, key in enumerate(rows.keys)} if rows.remarks else {}
        for remark in rows.remarks:
            name = "id" if remark.path == system.ID else self._name(remark.path)
            if name is not None:
                self._reject(group, position[remark.key], name, remark.value, remark.reason)
        self._collisions(group)
        group = self._within_limits(group)
        self.seen |= group.columns.keys()
        self.groups.append(group)
        self.rows += len(group.keys)
        arrays = [leaf.array for leaves in group.columns.values() for leaf in leaves]
        self.size += sum(array.get_total_buffer_size() + _ARRAY_BYTES for array in arrays)

    def part(self, partition_at: Ints) -> tuple[pa.Table, dict[str, str]]:
        """Return the gathered rows as a table, and the types of its columns; the builder is empty after.

        `partition_at`: per row in order of the groups, the start of its file's partition in microseconds.
        """
        for name in sorted(self.seen):
            self._note(name, [group for group in self.groups if name in group.columns])
        arrays: dict[str, pa.ChunkedArray] = {
            ROW: pa.chunked_array([pa.array(group.keys) for group in self.groups], pa.int64()),
            HASH: pa.chunked_array([pa.array(group.hashes) for group in self.groups], pa.int64()),
            "id": pa.chunked_array([group.ids for group in self.groups], pa.string()),
        }
        times = {name: self._cast(name, ColumnType.TIMESTAMP) for name in spec.TIMES}
        arrays |= system.completed(times, partition_at)
        for name in ("anonymous_id", "user_id", *self.call.texts):
            arrays[name] = self._cast(name, ColumnType.STRING)
        if self.call.type == "track":
            arrays["event"] = pa.chunked_array([pa.repeat(pa.scalar(self.table), self.rows)])
        types: dict[str, str] = {}
        for name in self._own_columns():
            made, types[name] = self._own(name)
            arrays |= made
        self.groups, self.rows, self.size = [], 0, 0
        self.rejects = as_sent(self.rejects)
        return pa.table(arrays), types

    def _own(self, name: str) -> tuple[dict[str, pa.ChunkedArray], str]:
        """Return a column that is no system column, with what else a part holds of it, and how that is called."""
        kind, is_new, refused = self._type(name), self._column(name) is None, len(self.rejects)
        array = self._cast(name, kind)
        if is_new and kind is ColumnType.TIMESTAMP:
            return {name: array, name + TEXT: self._cast(name, ColumnType.STRING)}, BOTH
        if kind is not ColumnType.STRING or not self.found[name].kinds & ~_STRINGS:
            return {name: array}, kind.value
        json = self._as_json(name, refused) if is_new else None
        return ({name: array}, MIXED) if json is None else ({name: array, name + JSON: json}, EITHER)

    def _own_columns(self) -> list[str]:
        """Return the columns of the gathered rows that are not system columns, in order of their names."""
        fixed = spec.system_columns(self.call)
        return sorted({name for group in self.groups for name in group.columns if name not in fixed})

    def _columns(self, rows: Rows) -> dict[str, list[Leaf]]:
        columns: dict[str, list[Leaf]] = {}
        for leaf in sorted(rows.leaves, key=precedence):
            name = self._name(leaf.path)
            if name is not None:
                columns.setdefault(name, []).append(blank_as_null(leaf) if leaf.path in self.blanks else leaf)
        return columns

    def _name(self, path: Path) -> str | None:
        if path not in self.names:
            self.names[path] = self._named(path)
        return self.names[path]

    def _named(self, path: Path) -> str | None:
        """Return the column of a path; None for the id, and for what the settings leave out."""
        root = path[0]
        if root == "context" or root == self.call.body:
            if not self.policy.takes_path(path):
                return None
            if root == "context":
                return spec.context_column(path[1:])
            return spec.body_column(self.call, path[1:])
        keys = {"anonymous_id": "anonymousId", "user_id": "userId", **spec.TIMES, **self.call.texts}
        return next((column for column, key in keys.items() if key == root), None)

    def _home(self, name: str) -> str:
        """Return the table that decides about a column: `tracks` about the context columns of all event tables."""
        return family(self.table, self.call.type) if name.startswith(spec.CONTEXT_PREFIX) else self.table

    def _column(self, name: str) -> Column | None:
        return (self.shared if name.startswith(spec.CONTEXT_PREFIX) else self.ours).get(name)

    def _type(self, name: str) -> ColumnType:
        column, kinds = self._column(name), self.found[name].kinds
        if name in OVERFLOW_COLUMNS:
            return ColumnType.JSON
        return widened(column, kinds).type if column else column_type(kinds) or ColumnType.STRING

    def _within_limits(self, group: Group) -> Group:
        """Return the group without columns that the table does not take: rejected, dropped or in the overflow."""
        fixed = spec.system_columns(self.call)
        unknown = [name for name in group.columns if name not in fixed and self._column(name) is None]
        if self.policy.evolve != "evolve":
            for name in unknown:
                self._refuse(group, name)
            taken = group.columns.keys() - set(unknown)
            return replace(group, columns={name: each for name, each in group.columns.items() if name in taken})
        surplus = self._surplus(unknown)
        if not surplus:
            return group
        for name in surplus:
            self._note(name, [group])
        self.overflow.update(surplus)
        columns = {name: each for name, each in group.columns.items() if name not in surplus}
        for target, is_context in ((OVERFLOW, False), (CONTEXT_OVERFLOW, True)):
            chosen = [name for name in surplus if name.startswith(spec.CONTEXT_PREFIX) is is_context]
            if chosen:
                columns[target] = [folded({name: group.columns[name] for name in chosen}, len(group.keys))]
        return replace(group, columns=columns)

    def _surplus(self, unknown: Sequence[str]) -> dict[str, None]:
        """Return, in order, the columns for which there is no room: tens of thousands, perhaps."""
        homes = {name: self._home(name) for name in unknown}
        full = {home for home in set(homes.values()) if self._is_full(home)}
        return {
            name: None
            for name, home in homes.items()
            if home in self.known.closed or (home in full and name not in self.seen)
        }

    def _is_full(self, home: str) -> bool:
        """Return whether a table has no room for columns beyond those of the rows so far."""
        have = spec.system_columns(self.call).keys() | self.known.tables.get(home, {}).keys()
        if len(have) + len(self.seen) < self.policy.max_columns:
            return False
        new = sum(self._home(each) == home for each in self.seen - have)
        return len(have) + new >= self.policy.max_columns

    def _refuse(self, group: Group, name: str) -> None:
        for leaf in group.columns[name]:
            rows = np.flatnonzero(np.asarray(leaf.array.is_valid()))
            if self.policy.evolve == "discard":
                self.discarded += len(rows)
                continue
            for row in rows.tolist():
                self._reject(group, row, name, cast.json_text(leaf, row), "schema_frozen")

    def _collisions(self, group: Group) -> None:
        """Reject the values that share a column with another value in their row, unless the two are equal."""
        for name, leaves in group.columns.items():
            if len(leaves) == 1:
                continue
            winner = np.full(len(group.keys), -1)
            for index, leaf in enumerate(leaves):
                valid = np.asarray(leaf.array.is_valid())
                for row in np.flatnonzero(valid & (winner >= 0)).tolist():
                    theirs, ours = cast.json_text(leaves[winner[row]], row), cast.json_text(leaf, row)
                    if not cast.same_json(theirs, ours):
                        self._reject(group, row, name, ours, "same_column")
                winner[valid & (winner < 0)] = index

    def _note(self, name: str, groups: Sequence[Group]) -> None:
        """Add to what is found in a column; `groups` have it, and were not noted yet."""
        if name in spec.system_columns(self.call) and name not in ("name", "category"):
            return
        old, column = self.found.get(name, Found()), self._column(name)
        new, widens = column is None, column is not None and column.type is ColumnType.INTEGER
        kinds, rows, first, paths = old.kinds, 0, old.first, set[Path]()
        for group in groups:
            leaves = group.columns[name]
            for leaf in leaves:
                kinds |= cast.kinds(leaf, timestamps_matter=new and not kinds & Kind.STRING)
            rows += len(group.keys) - missing(leaves)
            causes = [leaf for leaf in leaves if new or (widens and pa.types.is_floating(leaf.array.type))]
            if causes:
                first = min(first, first_key(group.keys, causes, lowest=group.lowest))
                paths |= {leaf.path for leaf in causes}
        self.found[name] = old.joined(Found(kinds, rows, first, spelled(frozenset(paths))))

    def _cast(self, name: str, wanted: ColumnType) -> pa.ChunkedArray:
        arrow = cast.ARROW[wanted]
        chunks = []
        for group in self.groups:
            leaves = group.columns.get(name, ())
            array = self._one(group, name, leaves, wanted) if leaves else pa.nulls(len(group.keys), arrow)
            chunks.append(self._within_length(group, name, array, wanted))
        return pa.chunked_array(chunks, arrow)

    def _as_json(self, name: str, refused: int) -> pa.ChunkedArray | None:
        """Return a new column of strings as JSON text too, for which another shard may have reason.

        None if a value is too long for either; `refused`: how many rejects there were before it became strings.
        """
        before = len(self.rejects)
        array = self._cast(name, ColumnType.JSON)
        fits = refused == before == len(self.rejects)
        del self.rejects[before:]
        return array if fits else None

    def _within_length(self, group: Group, name: str, array: pa.Array, kind: ColumnType) -> pa.Array:
        """Return an array with null for what is too long for the warehouse, which is rejected."""
        limits = {"max_text_bytes": self.policy.max_text_bytes, "max_json_bytes": self.policy.max_json_bytes}
        rows = too_long(array, kind, **limits)
        if not rows:
            return array
        for row in rows:
            value = cast.json_text(Leaf((), array, json=kind is ColumnType.JSON), row)
            self._reject(group, row, name, value, TOO_LONG)
        return without(array, rows)

    def _one(self, group: Group, name: str, leaves: Sequence[Leaf], wanted: ColumnType) -> pa.Array:
        result: pa.Array | None = None
        taken: npt.NDArray[np.bool_] | None = None  # rows that a leaf before has a value for
        for leaf in leaves:
            array, lost = cast.cast(leaf, wanted)
            for row in lost:
                if taken is None or not taken[row]:
                    self._reject(group, row, name, cast.json_text(leaf, row), f"not_{wanted.value}")
            if len(leaves) == 1:
                return array
            valid = np.asarray(leaf.array.is_valid())
            result = array if taken is None else pc.if_else(pa.array(taken), result, array)
            taken = valid if taken is None else taken | valid
        return result

    def _reject(self, group: Group, row: int, column: str, value: str, reason: str) -> None:
        self.rejects.append(Reject(int(group.keys[row]), self.table, group.ids[row].as_py(), column, value, reason))
