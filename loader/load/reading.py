"""Looking without touching: the warehouse read-only, and a source apart from its staging."""

from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from msgspec.structs import replace

from loader.config import Config, DuckDB, Staging
from loader.config.warehouses import IN_MEMORY
from loader.core.warehouse import Warehouse
from loader.ledger.tables import SCHEMA
from loader.load.edges import Edges, open_edges, warehouse


@contextmanager
def reading(config: Config) -> Iterator[tuple[Warehouse, Warehouse]]:
    """Yield the warehouse, read-only, and the one to ask about loads: an empty one where nothing was ever loaded.

    Writes nothing. Waits for a process that writes, as long as `lock_wait` says; WarehouseLockedError names it.
    """
    with warehouse(config, read_only=True) as opened:
        if opened.describe(SCHEMA):
            yield opened, opened
            return
        nowhere = replace(config, warehouse=DuckDB(path=IN_MEMORY))
        with warehouse(nowhere, read_only=True) as empty:
            yield opened, empty


@contextmanager
def apart(config: Config, source: str) -> Iterator[Edges]:
    """Yield the edges of a source with a temporary staging folder, gone when the block ends."""
    with TemporaryDirectory(prefix="loader-") as folder:
        yield open_edges(replace(config, staging=Staging(url=folder)), source)
