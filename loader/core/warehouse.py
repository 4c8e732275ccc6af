"""Warehouse: what a warehouse's file must do. Everything else is SQL made elsewhere."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from loader.core.dialect import Dialect
from loader.core.merge import Staged
from loader.core.report import Part
from loader.core.schema import Tables

Row = tuple[Any, ...]


class Session(Protocol):
    """A connection inside one transaction: committed when its block ends well, else rolled back."""

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Run one statement with `?` for values; return its rows (of an insert or delete: one row, the count)."""

    def append(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Add rows to a table of ours (schema.table), in bulk."""


class Warehouse(Protocol):
    """An open warehouse. A call completes or raises WarehouseError; none retries. Sessions may run in threads."""

    @property
    def dialect(self) -> Dialect:
        """The facts about its SQL."""

    def describe(self, schema: str) -> Tables:
        """Return the columns of every table of `schema`, in order; empty where it has none."""

    def session(self) -> AbstractContextManager[Session]:
        """Return a transaction of its own."""

    def staged(self, parts: Sequence[Part]) -> AbstractContextManager[list[Staged]]:
        """Make parts readable by SQL until the block ends. Parts may lie anywhere; none is changed."""

    def close(self) -> None:
        """Let go of the warehouse, so that others may open it. Twice is fine."""
