"""Fewer, larger files in a lake."""

from collections.abc import Iterator

from loader.config import Config
from loader.config.warehouses import Lake as Settings
from loader.core.results import Progress
from loader.core.warehouse import Compacted
from loader.errors import ConfigError
from loader.load.edges import warehouse


def compact(config: Config, progress: Progress) -> list[Compacted]:
    """Merge the small files of each day of each table; return what became of each table that had some.

    Rows stay the same. Killed at any instant, the next one goes on with the tables that are left. ConfigError where the
    warehouse is no lake.
    """
    return list(_compacted(config, progress))


def _compacted(config: Config, progress: Progress) -> Iterator[Compacted]:
    if not isinstance(config.warehouse, Settings):
        raise ConfigError(f"only a lake has files to compact; {config.warehouse.kind} takes care of its own")
    from loader.warehouses.lake import Lake

    with warehouse(config) as opened:
        assert isinstance(opened, Lake)
        for each in opened.compact():
            progress.note(f"{each.table}: {each.before:,} small files became {each.after:,}")
            yield each
