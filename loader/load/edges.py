"""What a load touches: the source's files, staging, the warehouse. Opened from the settings, in one place."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from loader.config import Config, DuckDB, Source
from loader.config import Warehouse as Settings
from loader.config.warehouses import Lake
from loader.core.dialect import Dialect
from loader.core.objects import Store
from loader.core.policy import Policy, Selection
from loader.core.warehouse import Site, Warehouse
from loader.errors import ConfigError
from loader.ledger import tables
from loader.load.retrying import retried
from loader.storage import connect, local, prepare

_MAX_WORKERS = 8


@dataclass(frozen=True, slots=True)
class Edges:
    """One source of one configuration."""

    config: Config
    source: str
    settings: Source
    events: Store
    staging: Store
    policy: Policy

    @property
    def workers(self) -> int:
        """How many processes shred."""
        return self.config.load.workers or min(os.cpu_count() or 1, _MAX_WORKERS)


def open_edges(config: Config, source: str) -> Edges:
    """Return the edges of a source. Makes no connection but for preparing the staging folder."""
    settings = config.sources.get(source)
    if settings is None:
        known = ", ".join(sorted(config.sources)) or "none"
        raise ConfigError(f"there is no source {source!r} in the configuration; known are: {known}")
    events = connect(settings.url, access=settings.access, base=config.base)
    staging = connect(config.staging.url, access=config.staging.access, base=config.base)
    prepare(staging)
    return Edges(config, source, settings, events, staging, _policy(settings, _dialect(config.warehouse)))


@contextmanager
def warehouse(config: Config, *, read_only: bool = False, staging: Store | None = None) -> Iterator[Warehouse]:
    """Yield the warehouse, open, with its ledger in place; waits for other processes as long as the settings say.

    Read-only, a warehouse that is not there yet is an empty one in memory, and a ledger that is not there stays so.
    """
    with connected(config, read_only=read_only, staging=staging) as opened:
        if not read_only or _absent(config):
            retried(partial(tables.prepare, opened))
        yield opened


@contextmanager
def connected(
    config: Config,
    *,
    read_only: bool = False,
    staging: Store | None = None,
    threads: int | None = None,
    over: Callable[[], bool] | None = None,
) -> Iterator[Warehouse]:
    """Yield the warehouse as it is, open: a module of `loader.warehouses`, imported when it is used.

    `threads`: that a warehouse in this process may use, its callers' included; one for each core, if not said.
    `over`: whether its callers' threads are to end soon, since the work was interrupted.
    """
    store = staging or connect(config.staging.url, access=config.staging.access, base=config.base)
    with _scratch(store) as scratch:
        site = Site(
            staging=store,
            local=lambda key: str(local(store, key, scratch)),
            threads=threads or min(os.cpu_count() or 1, _MAX_WORKERS),
            wait_seconds=config.load.lock_wait.total_seconds(),
            open_store=partial(_store, config, read_only=read_only),
            read_only=read_only,
            **({"over": over} if over else {}),
        )
        opened = retried(partial(_opened, config.warehouse, site))
        try:
            yield opened
        finally:
            opened.close()


def _store(config: Config, url: str, *, read_only: bool) -> Store:
    access = config.warehouse.access if isinstance(config.warehouse, Lake) else None
    store = connect(url, access=access, base=config.base)
    if not read_only:
        prepare(store)
    return store


def _opened(settings: Settings, site: Site) -> Warehouse:
    opened: Warehouse = import_module(f"loader.warehouses.{settings.kind}").connect(settings, site)
    return opened


def _absent(config: Config) -> bool:
    """Return whether the warehouse is a file that is not there: read-only, it is one in memory, which is ours."""
    return isinstance(config.warehouse, DuckDB) and not Path(config.warehouse.path).exists()


@contextmanager
def _scratch(store: Store) -> Iterator[Path]:
    """Yield a folder for copies of parts; parts in a folder need none, so a killed load leaves none behind."""
    if "://" not in store.url:
        yield Path(store.url)
        return
    with TemporaryDirectory(prefix="loader-") as scratch:
        yield Path(scratch)


def _dialect(settings: Settings) -> Dialect:
    found: Dialect = import_module(f"loader.warehouses.{settings.kind}").DIALECT
    return found


def _policy(settings: Source, dialect: Dialect) -> Policy:
    return Policy(
        evolve=settings.evolve,
        max_depth=settings.max_depth,
        max_columns=settings.max_columns,
        max_line_bytes=settings.max_line_bytes,
        max_text_bytes=dialect.max_text_bytes,
        max_json_bytes=dialect.max_json_bytes,
        respells=dialect.respells,
        dedupe_window=settings.dedupe_window,
        events=_selection(settings.events.include, settings.events.exclude),
        properties=_selection(settings.properties.include, settings.properties.exclude),
    )


def _selection(include: tuple[str, ...], exclude: tuple[str, ...]) -> Selection:
    return Selection(() if include == ("*",) else include, exclude)
