"""A lake: Parquet files in a folder or a bucket, and no warehouse. DuckDB, in memory, does the merging.

    <url>/<schema>/<table>/day=2026-01-31/<load>.parquet    tables that have `received_at`, by its day
    <url>/<schema>/<table>/<load>.parquet                   `users` and `accounts`
    <url>/loader/<table>/….parquet                          the ledger
    <url>/_loader/catalogue/000000000042.json               which of them are live: the newest one counts

A commit writes Parquet files under names that are new, and then the next catalogue, on the condition that it is not
there: of two that commit at once one goes first, and the other repeats its work upon that, or is told that it cannot
(WarehouseBusyError). A load that dies before its catalogue is written has done nothing; it writes the same files again.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from loader.config.warehouses import Lake as Settings
from loader.core.cost import Cost
from loader.core.dialect import Dialect
from loader.core.report import Part
from loader.core.schema import Column, Tables
from loader.core.staging import Delivery, Staged, groups
from loader.core.types import ColumnType
from loader.core.warehouse import Compacted, Session, Site
from loader.warehouses.lake.catalogue import Catalogues
from loader.warehouses.lake.compacting import Compactor
from loader.warehouses.lake.files import Files, listed, translated
from loader.warehouses.lake.session import LakeSession

DIALECT = Dialect(
    name="lake",
    types={
        ColumnType.BOOLEAN: "BOOLEAN",
        ColumnType.INTEGER: "BIGINT",
        ColumnType.DOUBLE: "DOUBLE",
        ColumnType.TIMESTAMP: "TIMESTAMP WITH TIME ZONE",
        ColumnType.STRING: "VARCHAR",
        ColumnType.JSON: "JSON",
    },
    in_place=True,
    asks_empty=False,  # the catalogue knows
    shared_rows=500_000,  # a commit costs some requests, however many tables are in it
    shared_columns=4_000,
)


class Lake:
    """An open lake."""

    dialect = DIALECT

    def __init__(self, connection: duckdb.DuckDBPyConnection, catalogues: Catalogues, site: Site) -> None:
        self._connection, self._catalogues, self._site = connection, catalogues, site
        self._numbers = count()

    def describe(self, schema: str) -> Tables:
        """Return the columns of every table of `schema`, in order."""
        found = self._catalogues.newest().tables
        return {
            name.partition(".")[2]: {column: Column(ColumnType(kind)) for column, kind in each.columns.items()}
            for name, each in sorted(found.items())
            if name.partition(".")[0] == schema
        }

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Yield a transaction: it sees the lake as it was when it began, and what it writes itself."""
        cursor = self._connection.cursor()
        name = f"session_{next(self._numbers)}"
        try:
            with translated("the lake"):
                cursor.execute(f"ATTACH ':memory:' AS {name}; USE {name}")
            session = LakeSession(cursor, self._catalogues, DIALECT)
            yield session
            session.commit()
        finally:
            cursor.execute(f"USE memory; DETACH DATABASE IF EXISTS {name}")
            cursor.close()

    @contextmanager
    def staged(self, delivery: Delivery) -> Iterator[list[Staged]]:
        """Yield the parts as they are: DuckDB reads Parquet in place."""
        yield [Staged(listed(self._paths(group.parts)), group.columns) for group in groups(delivery.parts)]

    def clear(self, load_id: str) -> None:
        """Do nothing: parts are read in place, so nothing is left behind."""

    def compact(self) -> Iterator[Compacted]:
        """Make one file of the small ones of each day; yield what became of each table that had some."""
        yield from Compactor(self._connection, self._catalogues, DIALECT).run()

    def history(self) -> Mapping[str, Cost]:
        """Return nothing: it runs in this process, and keeps none."""
        return {}

    def cancel(self) -> None:
        """Do nothing: no server is waited for."""

    def close(self) -> None:
        """Let go of the copies of files. Twice is fine."""
        with translated("the lake"):
            self._connection.close()
        self._catalogues.files.close()

    def _paths(self, parts: Sequence[Part]) -> list[str]:
        return [self._site.local(part.key) for part in parts]


def connect(settings: Settings, site: Site) -> Lake:
    """Open a lake; one that is not there is empty. Makes no request, but a folder that is missing is made."""
    scratch = TemporaryDirectory(prefix="loader-")
    files = Files(site.open_store(settings.url), scratch)
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": settings.threads or site.threads,
        "memory_limit": f"{settings.memory // (1 << 20)}MB",
        "temp_directory": str(Path(scratch.name) / "spill"),
    }
    connection = duckdb.connect(":memory:", config=config)
    connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
    return Lake(connection, Catalogues(files, read_only=site.read_only), site)
