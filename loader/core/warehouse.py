"""Warehouse: what a warehouse's file must do. Everything else is SQL made elsewhere.

A warehouse's module has its `DIALECT`, and `connect(settings, site)`, which returns an open Warehouse.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from loader.core.cost import Cost
from loader.core.dialect import Dialect
from loader.core.objects import Store
from loader.core.schema import Tables
from loader.core.staging import Delivery, Staged
from loader.core.types import ColumnType
from loader.errors import ConfigError

Row = tuple[Any, ...]


def _never() -> bool:
    return False


def _nowhere(url: str) -> Store:
    raise ConfigError(f"{url}: no store can be opened here")


@dataclass(frozen=True, slots=True)
class Site:
    """What is around a warehouse: where parts lie, and how it is to be used."""

    staging: Store
    local: Callable[[str], str]  # key of a part → path of a file here with its bytes, gone when the site is left
    threads: int  # for a warehouse that runs in this process, those of its callers included
    wait_seconds: float  # for others who hold what we need
    read_only: bool = False
    over: Callable[[], bool] = _never  # whether threads are to end soon, and wait for nothing: the work was interrupted
    open_store: Callable[[str], Store] = (
        _nowhere  # url → the store there, for a warehouse that is one; a folder is made
    )


class Session(Protocol):
    """A connection inside one transaction: committed when its block ends well, else rolled back."""

    @property
    def dialect(self) -> Dialect:
        """The facts about its SQL."""

    @property
    def cost(self) -> Cost:
        """What its statements have cost so far, as far as the warehouse tells."""

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Run one statement with `?` for values; return its rows (of an insert, update or delete: one row, the count).

        Values are texts, numbers, booleans, nulls and aware times, and so are those of rows; times come back as UTC.
        """

    def append(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Add rows to a table of ours (schema.table, or what `scratch` returned), in bulk."""

    def scratch(self, name: str, columns: Mapping[str, ColumnType]) -> str:
        """Make an empty table that nobody else sees and that does not outlive the session; return its relation.

        To be called before anything is written: where DDL commits, the transaction begins after it.
        """


class Warehouse(Protocol):
    """An open warehouse. A call completes or raises WarehouseError; none retries. Sessions may run in threads.

    WarehouseBusyError says that the same may work later. That the answer to a COMMIT was lost is one too: whoever
    tries again asks the ledger first whether it was done.
    """

    @property
    def dialect(self) -> Dialect:
        """The facts about its SQL."""

    def describe(self, schema: str) -> Tables:
        """Return the columns of every table of `schema`, in order; empty where it has none."""

    def session(self) -> AbstractContextManager[Session]:
        """Return a transaction of its own."""

    def staged(self, delivery: Delivery) -> AbstractContextManager[list[Staged]]:
        """Make parts readable by SQL until the block ends. Parts may lie anywhere; none is changed.

        What this makes in the warehouse is committed, under a name of `staging_table`, and replaces what a crash left.
        """

    def clear(self, load_id: str) -> None:
        """Drop whatever `staged` made for a load and a crash left behind. Twice is fine."""

    def history(self) -> Mapping[str, Cost]:
        """Return what the warehouse itself noted of our statements, by the marks in their costs, as far as it tells.

        In one statement. Never raises for what it cannot find out.
        """

    def cancel(self) -> None:
        """Let threads end soon: cancel what they wait for where the server does that; what they call next raises."""

    def close(self) -> None:
        """Let go of the warehouse, so that others may open it. Twice is fine."""


@dataclass(frozen=True, slots=True)
class Compacted:
    """What became of the small files of a lake's table; as many as before, where a load was faster."""

    table: str  # schema.table
    before: int  # files
    after: int
    stored_bytes: int
