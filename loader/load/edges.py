"""What a load touches: the source's files, staging, the warehouse. Opened from the settings, in one place."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from loader.config import Config, Source
from loader.core.objects import Store
from loader.core.policy import Policy, Selection
from loader.core.warehouse import Warehouse
from loader.errors import ConfigError
from loader.ledger import tables
from loader.storage import connect, local, prepare
from loader.warehouses import duckdb

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
    return Edges(config, source, settings, events, staging, _policy(settings))


@contextmanager
def warehouse(config: Config, *, read_only: bool = False, staging: Store | None = None) -> Iterator[Warehouse]:
    """Yield the warehouse, open, with its ledger in place; waits for other processes as long as the settings say.

    Read-only, a warehouse that is not there yet is an empty one in memory.
    """
    settings = config.warehouse
    store = staging or connect(config.staging.url, access=config.staging.access, base=config.base)
    absent = read_only and not Path(settings.path).exists()
    with _scratch(store) as scratch:
        opened = duckdb.connect(
            ":memory:" if absent else settings.path,
            locate=lambda key: local(store, key, scratch),
            threads=settings.threads or min(os.cpu_count() or 1, _MAX_WORKERS),
            memory_bytes=settings.memory,
            wait_seconds=config.load.lock_wait.total_seconds(),
            read_only=read_only and not absent,
        )
        try:
            if absent or not read_only:
                tables.prepare(opened)
            yield opened
        finally:
            opened.close()


@contextmanager
def _scratch(store: Store) -> Iterator[Path]:
    """Yield a folder for copies of parts; parts in a folder need none, so a killed load leaves none behind."""
    if "://" not in store.url:
        yield Path(store.url)
        return
    with TemporaryDirectory(prefix="loader-") as scratch:
        yield Path(scratch)


def _policy(settings: Source) -> Policy:
    return Policy(
        evolve=settings.evolve,
        max_depth=settings.max_depth,
        max_columns=settings.max_columns,
        max_line_bytes=settings.max_line_bytes,
        dedupe_window=settings.dedupe_window,
        events=_selection(settings.events.include, settings.events.exclude),
        properties=_selection(settings.properties.include, settings.properties.exclude),
    )


def _selection(include: tuple[str, ...], exclude: tuple[str, ...]) -> Selection:
    return Selection(() if include == ("*",) else include, exclude)
