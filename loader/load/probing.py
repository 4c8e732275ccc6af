"""What a load asks of a warehouse, tried in a schema of its own: create, alter, load, merge, drop."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from loader.core import ddl, merge
from loader.core.dialect import quoted
from loader.core.merge import Target
from loader.core.objects import Store
from loader.core.parts import encoded
from loader.core.report import HASH, ROW, Found, Part
from loader.core.results import Check
from loader.core.schema import AddColumn, Column, WidenColumn
from loader.core.staging import Delivery
from loader.core.timestamps import MICROSECONDS
from loader.core.types import ColumnType
from loader.core.warehouse import Warehouse
from loader.errors import LoaderError, WarehouseError

Step = tuple[str, Callable[[], str], str]  # name, what to do: returns what was found, remedy
SCRATCH = "loader_doctor"
_TEXT, _TIME = Column(ColumnType.STRING), Column(ColumnType.TIMESTAMP)
_SYSTEM = {"id": _TEXT, "received_at": _TIME}
_COLUMNS = {**_SYSTEM, "loaded_at": _TIME, "load_id": _TEXT, "total": Column(ColumnType.INTEGER)}
_AT = datetime(2026, 1, 1, tzinfo=UTC)


def tried(steps: Sequence[Step]) -> Iterator[Check]:
    """Yield a check for each step, up to the first that fails."""
    for name, act, remedy in steps:
        try:
            yield Check(name, True, act())
        except LoaderError as error:
            yield Check(name, False, str(error), remedy)
            return


@dataclass(frozen=True, slots=True)
class Probe:
    """A table that nobody else has, and a part for it in staging."""

    opened: Warehouse
    staging: Store
    table: str

    @property
    def key(self) -> str:
        """Where the part is."""
        return f"doctor/{self.table}.parquet"

    def create(self) -> str:
        """Make the schema and the table."""
        with self.opened.session() as session:
            session.execute(ddl.create_schema(self.opened.dialect, SCRATCH))
            session.execute(ddl.create_table(self.opened.dialect, SCRATCH, self.table, _COLUMNS))
        return f"{SCRATCH}.{self.table}"

    def alter(self) -> str:
        """Add a column, and widen one."""
        widen = WidenColumn(self.table, "total", ColumnType.INTEGER, ColumnType.DOUBLE, Found())
        with self.opened.session() as session:
            for change in (AddColumn(self.table, "coupon", ColumnType.JSON, Found()), widen):
                for sql in ddl.statements(self.opened.dialect, SCRATCH, change):
                    session.execute(sql)
        return "a column added, another widened"

    def load(self) -> str:
        """Merge a part of two rows, of which none is there."""
        self.staging.write(self.key, memoryview(encoded(_part())))
        return f"{self._merged(expected=2)} rows"

    def merge(self) -> str:
        """Merge it again: both rows are there."""
        return f"{self._merged(expected=0)} rows more from the same part"

    def drop(self) -> str:
        """Remove the table, and the schema if nothing else is in it. Twice is fine."""
        dialect = self.opened.dialect
        with self.opened.session() as session:
            session.execute(f"DROP TABLE IF EXISTS {quoted(dialect, SCRATCH, self.table)}")
        if not self.opened.describe(SCRATCH):
            with self.opened.session() as session:
                session.execute(f"DROP SCHEMA IF EXISTS {quoted(dialect, SCRATCH)}")
        return "nothing is left"

    def _merged(self, *, expected: int) -> int:
        dialect, far = self.opened.dialect, timedelta(days=1)
        columns = {**_COLUMNS, "coupon": Column(ColumnType.JSON), "total": Column(ColumnType.DOUBLE)}
        target = Target(SCRATCH, self.table, columns, _SYSTEM, "doctor", _AT - far, _AT + far)
        part = Part(self.key, 2, 0, {"total": "integer", "coupon": "json"})
        pair = dict.fromkeys((ROW, HASH), ColumnType.INTEGER)
        fixed = pair | {name: each.type for name, each in _SYSTEM.items()}
        delivery = Delivery("doctor", SCRATCH, self.table, [part], fixed, columns)
        with self.opened.staged(delivery) as staged, self.opened.session() as session:
            places = session.scratch("left_out", {"place": ColumnType.INTEGER})
            keys = merge.duplicates(dialect, [merge.Source(target, staged, rows_there=True)])
            session.execute(f"INSERT INTO {places} {keys}")
            rows = int(session.execute(merge.insert(dialect, target, staged, without=places))[0][0])
        if rows != expected:
            raise WarehouseError(f"{SCRATCH}.{self.table}: {rows} rows were added, expected {expected}")
        return rows


@contextmanager
def probe(opened: Warehouse, staging: Store) -> Iterator[Probe]:
    """Yield a probe; what it made is gone when the block ends."""
    found = Probe(opened, staging, f"probe_{uuid.uuid4().hex[:12]}")
    try:
        yield found
    finally:
        with suppress(LoaderError):
            found.drop()
        with suppress(LoaderError):
            staging.delete([found.key])


def _part() -> pa.Table:
    return pa.table(
        {
            ROW: pa.array([1, 2], pa.int64()),
            HASH: pa.array([1, 2], pa.int64()),
            "id": ["a", "b"],
            "received_at": pa.array([_AT, _AT], MICROSECONDS),
            "coupon": ['["SPRING"]', None],
            "total": pa.array([12, None], pa.int64()),
        }
    )
