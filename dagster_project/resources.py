"""What the assets need from `loader`: its flows on one settings file, and somewhere to tell progress to.

A plain object: it has no fields that the Launchpad could show, so no path and no secret is in a run's configuration.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from loader.config import Config, load_config
from loader.core.model import Model
from loader.core.results import PartitionFacts, Progress, Retyped, Stage, TableFacts, Window
from loader.core.types import ColumnType
from loader.errors import LoaderError

if TYPE_CHECKING:
    from loader.core.sync_results import SyncPlan, SyncResult
    from loader.core.warehouse import Compacted
    from loader.load.modelling import Modelled
    from loader.load.verifying import Counted, Repeated

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

    def load(self, source: str, window: Window, progress: Progress, *, replay: bool) -> str:
        """Load what is new, or with `replay` all of the window; return what was done, in words. Raises Failure."""
        from loader.load import load

        if replay and window.start is None:
            raise dg.Failure(
                "`replay` alone would read everything again; say from when with `start`", allow_retries=False
            )
        with failures():
            results = load(self.config, source, window=window, replay=replay, progress=progress)
        wrong = [problem for each in results if each.state != "done" for problem in each.problems]
        if wrong:
            raise dg.Failure(f"a load is not done: {wrong[-1]}", allow_retries=False)
        counts = [f"{each.load_id}: {each.events:,} events, {each.rows:,} rows" for each in results]
        return "; ".join(counts) or "nothing to load"

    def planned(self, source: str, window: Window, progress: Progress) -> str:
        """Return what a load would do, in words. Raises Failure."""
        from loader.load import plan

        with failures():
            found = plan(self.config, source, window=window, progress=progress)
        return (
            f"{found.files:,} files, {found.events:,} events, {len(found.changes):,} changes, {found.rejects:,} rejects"
        )

    def set_aside(self, source: str, table: str) -> str:
        """Rename a table; return its new name. Raises Failure."""
        from loader.load.verifying import set_aside

        with failures():
            return set_aside(self.config, source, table)

    def retype(self, table: str, column: str, kind: ColumnType) -> Retyped:
        """Give a column a wider type. Raises Failure."""
        from loader.load import retype

        with failures():
            return retype(self.config, table, column, kind.value)

    def accept(self, source: str, window: Window) -> int:
        """Mark damaged files as known; return how many. Raises Failure."""
        from loader.load import accept_damaged

        with failures():
            return accept_damaged(self.config, source, window)

    def compact(self, progress: Progress) -> "list[Compacted]":
        """Merge the small files of a lake. Raises Failure."""
        from loader.load import compact

        with failures():
            return compact(self.config, progress)

    def expire(self, progress: Progress) -> None:
        """Delete the parts of old loads of all sources. Raises Failure."""
        from loader.load.edges import open_edges
        from loader.load.retention import expire

        with failures():
            config = self.config
            for source in config.sources:
                expire(open_edges(config, source), progress, now=datetime.now(UTC))

    def sync(
        self, name: str, progress: Progress, *, resync: bool, approve: str | None, retry: str | None
    ) -> "list[SyncResult]":
        """Bring a tool up to date. Raises Failure."""
        from loader.sync import sync

        with failures():
            return sync(self.config, name, resync=resync, approve=approve, retry=retry, progress=progress)

    def planned_sync(self, name: str, progress: Progress, *, resync: bool, retry: str | None) -> "SyncPlan":
        """Return what a sync would do. Raises Failure."""
        from loader.sync import dry_run

        with failures():
            return dry_run(self.config, name, resync=resync, retry=retry, full=False, progress=progress)

    def snapshot(self) -> tuple[int, float]:
        """Copy the warehouse for readers. Raises Failure."""
        from loader.load.copying import snapshot

        with failures():
            config = self.config
            return snapshot(config, Path(config.dagster.snapshot or ""))

    def make(self, source: str, model: Model) -> "Modelled":
        """Make a model's table. Raises Failure."""
        from loader.load.modelling import make

        with failures():
            return make(self.config, source, model)

    def counted(self, source: str) -> list["Counted"]:
        """Return the tables whose rows are not as many as were loaded. Raises Failure."""
        from loader.load.verifying import counted

        with failures():
            return counted(self.config, source)

    def repeated(self, source: str, back: timedelta) -> list["Repeated"]:
        """Return the tables with an id twice. Raises Failure."""
        from loader.load.verifying import repeated

        with failures():
            return repeated(self.config, source, back=back)

    def facts(self, source: str, window: Window | None) -> list[PartitionFacts]:
        """Return what the ledger knows of the window's partitions, or of all. Raises Failure."""
        from loader.load import partition_facts

        with failures():
            return partition_facts(self.config, source, window or Window())

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
