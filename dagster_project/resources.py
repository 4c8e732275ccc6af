"""What the assets need from `loader`: its flows on one settings file, and somewhere to tell progress to.

A plain object: it has no fields that the Launchpad could show, so no path and no secret is in a run's configuration.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from loader.config import Config, load_config
from loader.core.results import PartitionFacts, Progress, Stage, TableFacts, Window
from loader.errors import LoaderError

RETRIES, WAIT_SECONDS = 3, 10  # of a step that may succeed later; the wait doubles


@dataclass(frozen=True, slots=True)
class Loader:
    """The loader, as its settings file describes it. The file is read again for every call."""

    path: Path

    @property
    def config(self) -> Config:
        """The settings as they are now."""
        return load_config(self.path)

    def convert(self, source: str, window: Window, progress: Progress) -> list[Stage]:
        """Turn the window's new files into parts. Raises Failure."""
        from loader.load import convert

        with failures():
            limit = self.config.dagster.max_rejects
            return convert(self.config, source, window=window, replay=False, max_rejects=limit, progress=progress)

    def merge(
        self, source: str, window: Window, progress: Progress, *, reload: bool, max_rejects: float | None
    ) -> list[Stage]:
        """Merge the window's converted loads into the tables. Raises Failure."""
        from loader.load import merge

        with failures():
            return merge(self.config, source, window=window, reload=reload, max_rejects=max_rejects, progress=progress)

    def facts(self, source: str, window: Window) -> list[PartitionFacts]:
        """Return what the ledger knows of the window's partitions. Raises Failure."""
        from loader.load import partition_facts

        with failures():
            return partition_facts(self.config, source, window)

    def table_facts(self, source: str, tables: Collection[str]) -> Sequence[TableFacts]:
        """Return the facts of some tables, and bring the list of all up to date. Raises Failure."""
        from loader.load import list_tables, table_facts

        with failures():
            list_tables(self.config, source)
            return table_facts(self.config, source, tables=tables)


@contextmanager
def failures() -> Iterator[None]:
    """Raise the loader's errors as Failure, which Dagster tries again where the same call may succeed later."""
    try:
        yield
    except LoaderError as error:
        raise dg.Failure(str(error), allow_retries=error.transient) from None


@contextmanager
def retried(context: dg.AssetExecutionContext | dg.OpExecutionContext) -> Iterator[None]:
    """Have the step tried again, later, after a Failure that allows it; nothing else is ever tried again."""
    try:
        yield
    except dg.Failure as failure:
        number = context.retry_number
        if not failure.allow_retries or number >= RETRIES:
            raise
        raise dg.RetryRequested(RETRIES, seconds_to_wait=WAIT_SECONDS * 2**number) from failure


@dataclass(frozen=True, slots=True)
class Log:
    """Progress in a run's log: its steps and notes. The UI has no bar to move."""

    log: dg.DagsterLogManager

    def step(self, name: str, *, total: int | None, unit: str) -> None:
        """Say what begins."""
        self.log.info(name if total is None else f"{name} ({total:,} {unit})")

    def advance(self, amount: int, *, events: int = 0) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say it."""
        self.log.info(text)
