"""Work on demand: one job with one step each, its settings typed and described in the Launchpad.

What changes data does nothing unless `dry_run` is set to false.
"""

from datetime import UTC, datetime, timedelta
from typing import Literal

import dagster as dg
from pydantic import Field

from dagster_project.history import delete_old_runs
from dagster_project.resources import Loader, Log, retried
from loader.config import Config
from loader.core.results import Window
from loader.core.types import ColumnType

_WIDER = Literal["double", "string", "json"]
_RANGE = "in UTC, like 2026-01-31 or 2026-01-31T05:00"
DRY = Field(default=True, description="only say what would happen; set to false to do it")


class LoadNow(dg.Config):
    """What to load."""

    source: str = Field(description="a source of loader.toml")
    start: str = Field(
        default="", description=f"files received at or after this time, {_RANGE}; empty for all new ones"
    )
    stop: str = Field(default="", description=f"files received before this time, {_RANGE}; empty for no end")
    replay: bool = Field(default=False, description="read files again that are loaded already; needs `start`")
    dry_run: bool = DRY


class Rebuild(dg.Config):
    """Which table to make anew from its events."""

    source: str = Field(description="a source of loader.toml")
    table: str = Field(description="a table of its schema, without the schema")
    start: str = Field(description=f"files received at or after this time, {_RANGE}")
    stop: str = Field(default="", description=f"files received before this time, {_RANGE}; empty for no end")
    dry_run: bool = DRY


class Retype(dg.Config):
    """Which column gets a wider type."""

    table: str = Field(description="schema.table")
    column: str = Field(description="the column")
    type: _WIDER = Field(description="its new type: double, string or json")


class Accept(dg.Config):
    """Which damaged files a person knows of."""

    source: str = Field(description="a source of loader.toml")
    start: str = Field(description=f"files received at or after this time, {_RANGE}")
    stop: str = Field(description=f"files received before this time, {_RANGE}")


class Prune(dg.Config):
    """What is old."""

    keep_days: int = Field(default=0, ge=0, description="days of runs to keep; 0: as loader.toml says")
    dry_run: bool = DRY


def jobs(config: Config) -> list[dg.JobDefinition]:
    """Return the jobs. Their pool is that of the warehouse, where it has one for all sources."""
    pool = "warehouse_duckdb" if config.warehouse.kind == "duckdb" else "on_demand"
    lake = [_compact()] if config.warehouse.kind == "lake" else []
    return [_load_now(pool), _rebuild_table(pool), _retype_column(pool), _accept_damaged(pool), _prune(pool), *lake]


def range_of(start: str, stop: str) -> Window:
    """Return the window written. Raises Failure where it is none."""
    try:
        first, last = (_moment(each) if each else None for each in (start, stop))
    except ValueError as error:
        raise dg.Failure(f"{error}; write a time {_RANGE}", allow_retries=False) from None
    if first and last and first >= last:
        raise dg.Failure("`start` is not before `stop`", allow_retries=False)
    return Window(first, last)


def _moment(text: str) -> datetime:
    written = datetime.fromisoformat(text)
    return written.replace(tzinfo=UTC) if written.tzinfo is None else written.astimezone(UTC)


def _load_now(pool: str) -> dg.JobDefinition:
    @dg.op(pool=pool)
    def load(context: dg.OpExecutionContext, config: LoadNow, loader: dg.ResourceParam[Loader]) -> None:
        """Load the new files of a source, or replay those of a time."""
        window, progress = range_of(config.start, config.stop), Log(context.log)
        with retried(context):
            if config.dry_run:
                context.add_output_metadata({"plan": loader.planned(config.source, window, progress)})
            else:
                told = loader.load(config.source, window, progress, replay=config.replay)
                context.add_output_metadata({"loads": told})

    return _job("load_now", "Load a source now: what is new, or a time again. A dry run says what would happen.", load)


def _rebuild_table(pool: str) -> dg.JobDefinition:
    @dg.op(pool=pool)
    def rebuild(context: dg.OpExecutionContext, config: Rebuild, loader: dg.ResourceParam[Loader]) -> None:
        """Set a table aside under another name, and replay its files."""
        window = range_of(config.start, config.stop)
        with retried(context):
            if config.dry_run:
                context.log.info(f"{config.table} would be renamed, and the files of {window.start} on read again")
                return
            kept = loader.set_aside(config.source, config.table)
            context.log.info(f"the old rows are in {kept}: drop it when the new table is right")
            context.add_output_metadata(
                {"kept": kept, "loads": loader.load(config.source, window, Log(context.log), replay=True)}
            )

    text = "Make a table anew from its events. The old one stays under another name, until you drop it."
    return _job("rebuild_table", text, rebuild)


def _retype_column(pool: str) -> dg.JobDefinition:
    @dg.op(pool=pool)
    def retype(context: dg.OpExecutionContext, config: Retype, loader: dg.ResourceParam[Loader]) -> None:
        """Give a column a wider type."""
        with retried(context):
            done = loader.retype(config.table, config.column, ColumnType(config.type))
        context.add_output_metadata({"from": done.old, "to": done.new, "restored": done.restored, "left": done.left})

    return _job("retype_column", "Give a column a wider type, and put back the values that it rejected.", retype)


def _accept_damaged(pool: str) -> dg.JobDefinition:
    @dg.op(pool=pool)
    def accept(context: dg.OpExecutionContext, config: Accept, loader: dg.ResourceParam[Loader]) -> None:
        """Mark damaged files as known, so that their partitions can turn green."""
        with retried(context):
            count = loader.accept(config.source, range_of(config.start, config.stop))
        context.add_output_metadata({"files": count})

    text = "Say that damaged files will not come back: materialize `events` of their partitions afterwards."
    return _job("accept_damaged_files", text, accept)


def _prune(pool: str) -> dg.JobDefinition:
    @dg.op(pool=pool)
    def delete_old(context: dg.OpExecutionContext, config: Prune, loader: dg.ResourceParam[Loader]) -> None:
        """Delete the parts of old loads, and old runs."""
        keep = timedelta(days=config.keep_days or loader.config.dagster.keep_runs_days)
        before = datetime.now(UTC) - keep
        runs = delete_old_runs(context.instance, before, but=context.run_id, dry_run=config.dry_run)
        if not config.dry_run:
            loader.expire(Log(context.log))
        context.add_output_metadata({"runs": runs, "dry_run": config.dry_run})

    return _job(
        "prune", "Delete the parts of loads older than `keep_days`, and runs older than `keep_runs_days`.", delete_old
    )


def _compact() -> dg.JobDefinition:
    @dg.op(pool="compact")
    def merge_files(context: dg.OpExecutionContext, loader: dg.ResourceParam[Loader]) -> None:
        """Merge the small files of each day of each table."""
        with retried(context):
            found = loader.compact(Log(context.log))
        before, after = sum(each.before for each in found), sum(each.after for each in found)
        context.add_output_metadata({"tables": len(found), "files_before": before, "files_after": after})

    return _job("compact", "Merge the small files of the lake, day by day. Rows stay the same.", merge_files)


def _job(name: str, description: str, op: dg.OpDefinition) -> dg.JobDefinition:
    @dg.job(name=name, description=description, executor_def=dg.in_process_executor, tags={"loader/kind": "on_demand"})
    def job() -> None:
        op()

    return job
