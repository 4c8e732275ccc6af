"""Which staging tables a delivery needs, and what each is made of."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from loader.core.cost import Cost
from loader.core.dialect import quoted
from loader.core.staging import Delivery, Group, Staged, groups, physical, staging_table
from loader.core.types import ColumnType
from loader.warehouses.bigquery.dialect import DIALECT
from loader.warehouses.bigquery.parts import stored_names


@dataclass(frozen=True, slots=True)
class Shelf:
    """What a group of parts becomes: a staging table of its columns."""

    table: str
    columns: Mapping[str, ColumnType]
    group: Group
    folder: str  # in staging, for objects that are made of the parts

    @property
    def fingerprint(self) -> str:
        """What the table is made of, as a hash."""
        parts = [f"{part.key} {part.size}" for part in self.group.parts]
        columns = [f"{name} {kind.value}" for name, kind in self.columns.items()]
        return hashlib.sha256("\n".join((self.table, *parts, *columns)).encode()).hexdigest()[:40]

    @property
    def staged(self) -> Staged:
        """The table as SQL reads it: with the names of the parts' columns."""
        names = stored_names(self.columns)
        listed = ", ".join(
            f"{quoted(DIALECT, stored)} AS {quoted(DIALECT, name)}" if stored != name else quoted(DIALECT, name)
            for name, stored in names.items()
        )
        where = quoted(DIALECT, DIALECT.staging_schema, self.table)
        return Staged(f"(SELECT {listed} FROM {where} AS `t#`)", self.group.columns, Cost(1, 0, None))


def shelves(delivery: Delivery) -> list[Shelf]:
    """Return the staging tables that a delivery needs: one, unless its parts spell a column in two ways."""
    # Parts are in loads/<source>/<load>/…, of this load or of the one that is loaded again; doctor's in doctor/.
    place = "/".join((*delivery.parts[0].key.split("/")[:-1][:2], delivery.load_id, "bigquery"))
    made = []
    for number, group in enumerate(groups(delivery.parts)):
        table = staging_table(DIALECT, delivery, number)
        made.append(Shelf(table, physical(delivery, group.columns), group, f"{place}/{table}"))
    return made
