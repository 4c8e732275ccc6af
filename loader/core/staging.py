"""Parts on their way into a warehouse: which can be read together, and as which columns.

A shard spells a column by what it alone saw, so parts of one table may differ in a column's type. Those that agree are
one group, and one staging table where a warehouse needs any.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loader.core.cost import NO_COST, Cost
from loader.core.dialect import Dialect, fitted
from loader.core.report import BOTH, EITHER, HASH, JSON, ROW, TEXT, Part
from loader.core.schema import Columns
from loader.core.spec import CALLS, LOAD_COLUMNS, system_columns
from loader.core.types import ColumnType

NOTES: Mapping[str, Mapping[str, ColumnType]] = {  # parts that the ledger takes, and their columns in order
    "rejects": {
        ROW: ColumnType.INTEGER,
        **dict.fromkeys(("table_name", "row_id", "column_name", "value", "reason"), ColumnType.STRING),
    },
    "quarantine": {ROW: ColumnType.INTEGER, "reason": ColumnType.STRING},
}


@dataclass(frozen=True, slots=True)
class Delivery:
    """The parts of one table of one load."""

    load_id: str
    schema: str
    table: str  # or the ledger's `rejects` or `quarantine`, of the schema `loader`
    parts: Sequence[Part]
    fixed: Mapping[str, ColumnType]  # columns that every part has, and begins with, in order
    columns: Columns  # of the target, as they are after the migration
    number: int = 0  # tells several deliveries for one table apart
    of: tuple["Delivery", ...] = ()  # of `tracks`: those of the event tables whose files these are


@dataclass(frozen=True, slots=True)
class Group:
    """Parts that spell no column in two ways, and how they spell those that not all parts have."""

    parts: list[Part]
    columns: dict[str, str]  # column → a ColumnType's value, BOTH, EITHER or MIXED


@dataclass(frozen=True, slots=True)
class Staged:
    """A group of parts as something SQL can read: `relation`, as written behind FROM, has their columns."""

    relation: str
    columns: Mapping[str, str]  # as the group's
    cost: Cost = NO_COST
    narrow: str = ""  # the same rows with the fixed columns only, where that is cheaper to read

    @property
    def fixed(self) -> str:
        """What to read where only columns are wanted that every part has."""
        return self.narrow or self.relation


def fixed_columns(call: str) -> dict[str, ColumnType]:
    """Return the columns that every part of a call's tables begins with, in order."""
    own = {name: kind for name, kind in system_columns(CALLS[call]).items() if name not in LOAD_COLUMNS}
    return {ROW: ColumnType.INTEGER, HASH: ColumnType.INTEGER, **own}


def groups(parts: Sequence[Part]) -> list[Group]:
    """Return the parts in groups that agree about every column's spelling."""
    found: list[Group] = []
    for part in parts:
        for group in found:
            if all(group.columns.get(name, kind) == kind for name, kind in part.columns.items()):
                group.parts.append(part)
                group.columns.update(part.columns)
                break
        else:
            found.append(Group([part], dict(part.columns)))
    return found


def physical(delivery: Delivery, columns: Mapping[str, str]) -> dict[str, ColumnType]:
    """Return the columns of a staging table for parts that spell columns so; a part may lack any but the fixed ones.

    A part has its own columns sorted by name, the texts of a BOTH column right behind it, as `<name>#text`,
    and the JSON of an EITHER column as `<name>#json`.
    """
    found = dict(delivery.fixed)
    for name, kind in sorted(columns.items()):
        if kind == BOTH:
            found |= {name: ColumnType.TIMESTAMP, name + TEXT: ColumnType.STRING}
        elif kind == EITHER:
            found |= {name: ColumnType.STRING, name + JSON: ColumnType.JSON}
        else:
            known = {each.value: each for each in ColumnType}
            found[name] = known.get(kind, ColumnType.STRING)  # MIXED is text
    return found


def staged_type(dialect: Dialect, kind: ColumnType) -> str:
    """Return how a staging table spells a type. Json is text until it is parsed on its way into the target."""
    if kind in dialect.staged:
        return dialect.staged[kind]
    return dialect.types[ColumnType.STRING if kind is ColumnType.JSON else kind]


def staging_table(dialect: Dialect, delivery: Delivery, group: int) -> str:
    """Return the name of a staging table in `dialect.staging_schema`: the same when the load is tried again.

    It starts with the load's id, by which `Warehouse.clear` finds it.
    """
    return fitted(f"{delivery.load_id}_{delivery.number}_{group}_{delivery.table}", dialect.max_identifier_bytes)
