"""Two assets per source: the files of an hour or a day become Parquet parts, and the parts become rows.

A run over several partitions is one load of each source, and yet says for each partition what became of it: good ones
are materialized, bad ones fail with their reason. A partition without files is materialized with zeros, as Dagster
counts what is missing as failed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import dagster as dg
from pydantic import Field

from dagster_project import telling
from dagster_project.partitions import begins_at, key_of, window_of
from dagster_project.resources import Loader, Log, retried
from dagster_project.tables import report_tables
from loader.config import Config
from loader.core.results import PartitionFacts, Stage, Window

CONSERVED, REJECTS, SCHEMA = "every_event_is_accounted_for", "few_rejects", "schema_is_unchanged"
EVENTS = """\
Event files of the partition, read into typed Parquet parts. What could not be read is listed with its reason.

Materializing a partition again reads what is new in it, and nothing twice."""
LOADS = """\
The parts of the partition, merged into one table per event, each event once.

Materializing a partition again merges what waits. Materialized without `events`, it also merges again what is kept of
loads that are done (`keep_days` under `[staging]`): rows that are missing come back."""


Told: TypeAlias = "dg.MaterializeResult[Any] | dg.AssetMaterialization | dg.AssetObservation | dg.AssetCheckResult"


class Ingest(dg.Config):
    """How a run treats what is unusual; the defaults are right for schedules and backfills."""

    reload: bool = Field(
        default=True, description="merge loads that are done once more, when `loads` is run without `events`"
    )
    accept_rejects: bool = Field(default=False, description="load what is held back because too much of it is rejected")


@dataclass(frozen=True, slots=True)
class Work:
    """One run of a source's assets."""

    context: dg.AssetExecutionContext
    loader: Loader
    source: str
    step: str  # hour or day
    window: Window

    @property
    def progress(self) -> Log:
        """Where to tell what happens."""
        return Log(self.context.log)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of each partition of one asset."""

    key: dg.AssetKey
    good: dict[str, telling.Metadata]
    bad: dict[str, str]
    checks: list[dg.AssetCheckResult]
    transient: bool


def source_assets(name: str, config: Config, partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Return `<source>/events` and `<source>/loads`: one computation, of which either half can be run alone."""
    step, per_run = config.sources[name].partition, config.dagster.partitions_per_run

    @dg.multi_asset(
        name=f"{name}_ingest",
        specs=_specs(name, config),
        check_specs=_check_specs(name),
        can_subset=True,
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.multi_run(per_run),
        pool=pool(config, name),
    )
    def ingest(
        context: dg.AssetExecutionContext,
        config: Ingest,
        loader: dg.ResourceParam[Loader],
    ) -> Iterator[Told]:
        work = Work(context, loader, name, step, window_of(list(context.partition_keys), step))
        telling.tag_run(context, name, work.window)
        with retried(context):
            yield from _reported(context, list(_outcomes(work, config)))

    return ingest


def pool(config: Config, source: str) -> str:
    """Return the pool of a source's runs: DuckDB lets one process in at a time; elsewhere each source is its own."""
    return "warehouse_duckdb" if config.warehouse.kind == "duckdb" else f"source_{source}"


def _specs(name: str, config: Config) -> list[dg.AssetSpec]:
    fresh = dg.FreshnessPolicy.time_window(fail_window=config.dagster.fresh_within)
    shared: dict[str, Any] = {"group_name": name, "owners": list(config.dagster.owners), "freshness_policy": fresh}
    events, loads = dg.AssetKey([name, "events"]), dg.AssetKey([name, "loads"])
    return [
        dg.AssetSpec(events, description=EVENTS, kinds={"parquet"}, skippable=True, **shared),
        dg.AssetSpec(loads, deps=[events], description=LOADS, kinds={config.warehouse.kind}, skippable=True, **shared),
    ]


def _check_specs(name: str) -> list[dg.AssetCheckSpec]:
    events, loads = dg.AssetKey([name, "events"]), dg.AssetKey([name, "loads"])
    return [
        dg.AssetCheckSpec(
            REJECTS,
            asset=events,
            blocking=True,
            description="Few events are quarantined or lose a value; else the "
            "load is held back. The limit is `max_rejects` in loader.toml.",
        ),
        dg.AssetCheckSpec(
            CONSERVED, asset=loads, description="Every event is a row, a duplicate, filtered or quarantined."
        ),
        dg.AssetCheckSpec(
            SCHEMA, asset=loads, description="No table and no column is new. A warning, never a failure."
        ),
    ]


def _outcomes(work: Work, config: Ingest) -> Iterator[Outcome]:
    """Do what the run was asked for; yield the outcome of each asset."""
    events, loads = dg.AssetKey([work.source, "events"]), dg.AssetKey([work.source, "loads"])
    selected = work.context.selected_asset_keys
    limit = None if config.accept_rejects else work.loader.config.dagster.max_rejects
    if events in selected:
        converted = work.loader.convert(work.source, work.window, work.progress)
        yield _converted(work, events, converted, work.loader.config.dagster.max_rejects)
    if loads in selected:
        reload = config.reload and events not in selected
        merged = work.loader.merge(work.source, work.window, work.progress, reload=reload, max_rejects=limit)
        report_tables(work.context, work.loader, work.source, merged)
        yield _merged(work, loads, merged)


def _converted(work: Work, key: dg.AssetKey, stages: list[Stage], max_rejects: float) -> Outcome:
    facts = _facts(work)
    bad: dict[str, str] = {}
    for at, fact in facts.items():
        if fact.damaged:
            bad[key_of(at, work.step)] = "; ".join(fact.damaged)
    for stage in stages:
        for at, files in stage.left_out.items():
            bad[key_of(at, work.step)] = "; ".join(files)
        if stage.state == "planned":
            bad |= {key_of(at, work.step): stage.error for at in stage.partitions}
    good = {
        each: telling.converted(facts.get(at), [stage for stage in stages if at in stage.partitions])
        for each, at in _hours(work)
        if each not in bad
    }
    return Outcome(key, good, bad, [telling.few_rejects(key, REJECTS, stages, max_rejects)], _transient(stages))


def _merged(work: Work, key: dg.AssetKey, stages: list[Stage]) -> Outcome:
    facts = _facts(work)
    errors = {at: stage.error for stage in stages for at in stage.partitions if stage.error}
    open_yet = {at: fact.error for at, fact in facts.items() if fact.open}
    bad = {
        key_of(at, work.step): errors.get(at) or error or "its files are not read yet: materialize `events`"
        for at, error in (errors | open_yet).items()
    }
    inside = dict(_hours(work))
    beside = {key_of(at, work.step): at for stage in stages if stage.state == "done" for at in stage.partitions}
    good = {
        each: telling.merged(facts.get(at), [stage for stage in stages if at in stage.partitions])
        for each, at in (inside | beside).items()
        if each not in bad
    }
    checks = [telling.conserved(key, CONSERVED, stages), telling.unchanged(key, SCHEMA, stages)]
    return Outcome(key, good, {each: bad[each] for each in bad if each in inside}, checks, _transient(stages))


def _facts(work: Work) -> dict[datetime, PartitionFacts]:
    return {fact.at: fact for fact in work.loader.facts(work.source, work.window)}


def _hours(work: Work) -> list[tuple[str, datetime]]:
    return [(key, begins_at(key, work.step)) for key in work.context.partition_keys]


def _transient(stages: list[Stage]) -> bool:
    wrong = [stage for stage in stages if stage.error]
    return bool(wrong) and all(stage.transient for stage in wrong)


def _reported(context: dg.AssetExecutionContext, outcomes: list[Outcome]) -> Iterator[Told]:
    """Materialize the good partitions of each asset, then fail if any is bad: those stay without, and turn red."""
    inside = set(context.partition_keys)
    for each in outcomes:
        for partition, metadata in each.good.items():
            if each.bad or partition not in inside:
                yield dg.AssetMaterialization(each.key, partition=partition, metadata=metadata)
            else:
                context.add_asset_metadata(metadata, asset_key=each.key, partition_key=partition)
        for partition, reason in each.bad.items():  # so that the page of the partition has the reason, not only the run
            yield dg.AssetObservation(each.key, partition=partition, metadata={"why": dg.MetadataValue.md(reason)})
        if each.bad:
            yield from each.checks
        else:
            yield dg.MaterializeResult(asset_key=each.key, check_results=each.checks)
    wrong = [each for each in outcomes if each.bad]
    if wrong:
        raise telling.failure({each.key: each.bad for each in wrong}, transient=all(each.transient for each in wrong))
