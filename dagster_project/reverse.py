"""Audiences and syncs as assets: `audiences/<sync>` is the query, `syncs/<tool>/<sync>` keeps a tool equal to it.

A sync follows its audience by the clock (`[dagster] sync_every`), or runs when a person asks. What a guard stops waits
for the job `approve_sync`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from dagster_project.resources import Loader, Log, retried
from dagster_project.telling import Metadata, markdown
from loader.config import Config, Sync
from loader.core.sync_results import SyncPlan, SyncResult

GROUP = "syncs"
DELIVERED = "every_row_arrived"


class SyncNow(dg.Config):
    """Which sync to run, and how."""

    sync: str = Field(description="a sync of loader.toml")
    dry_run: bool = Field(default=True, description="only plan, and show the plan; set to false to send")
    resync: bool = Field(default=False, description="send rows again that have not changed")
    retry: str = Field(default="", description="send rows again that were rejected with this code")


class Approve(dg.Config):
    """Which plan that a guard stopped may be carried out."""

    sync: str = Field(description="a sync of loader.toml")
    run: str = Field(description="the id of its run, as the failed sync names it")


def sync_assets(config: Config) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Return an audience and a sync for each sync of the settings."""
    found: list[dg.AssetsDefinition | dg.AssetSpec] = []
    for name, sync in config.syncs.items():
        found += [_audience(config, name, sync), _sync(config, name, sync)]
    return found


def sync_jobs(config: Config) -> list[dg.JobDefinition]:
    """Return the jobs for syncs on demand; none where there are no syncs."""
    return [_sync_now(), _approve()] if config.syncs else []


def key_of(config: Config, name: str) -> dg.AssetKey:
    """Return the key of a sync."""
    return dg.AssetKey(["syncs", config.syncs[name].destination, name])


def told(result: SyncResult) -> Metadata:
    """Return what a run did."""
    counts = ("audience_rows", "adds", "changes", "removes", "confirmed", "removed", "rejected", "failed", "unknown")
    others = ("open", "invalid", "skipped", "suppressed", "held_out", "requests", "seconds")
    reasons = [f"- {each.rows:,} {each.state}: {each.code}" for each in result.reasons]
    return {
        "run": result.run_id,
        "state": result.state,
        **{name: getattr(result, name) for name in (*counts, *others)},
        "reasons": markdown(reasons),
    }


def planned(plan: SyncPlan) -> Metadata:
    """Return what a run would do; payloads are masked by the loader."""
    counts = ("audience_rows", "adds", "changes", "removes", "replaces", "skipped", "requests", "seconds")
    previews = [f"- {each.op}: `{each.payload}`" for each in plan.previews]
    return {
        "run": plan.run_id,
        "state": plan.state,
        **{name: getattr(plan, name) for name in counts},
        "rows": markdown(previews),
        "notes": markdown([f"- {note}" for note in plan.notes]),
    }


def _audience(config: Config, name: str, sync: Sync) -> dg.AssetSpec:
    return dg.AssetSpec(
        ["audiences", name],
        description=_query(sync),
        group_name=GROUP,
        kinds={"sql"},
        owners=list(config.dagster.owners),
    )


def _query(sync: Sync) -> str:
    """Return what a person reads about where the rows come from."""
    if sync.audience is None:
        return f"The rows of `{sync.table or sync.dbt}`."
    try:
        return f"```sql\n{Path(sync.audience).read_text(encoding='utf-8').strip()}\n```"
    except (OSError, UnicodeDecodeError):
        return f"The file {Path(sync.audience).name} cannot be read."  # the sync says more


def _sync(config: Config, name: str, sync: Sync) -> dg.AssetsDefinition:
    key, kind = key_of(config, name), config.destinations[sync.destination].common.kind

    @dg.asset(
        key=key,
        deps=[dg.AssetKey(["audiences", name])],
        description=f"Keeps `{sync.destination}` equal to the audience: {sync.mode}, by `{sync.key}`.",
        group_name=GROUP,
        kinds={kind.replace("_", "")[:20]},
        owners=list(config.dagster.owners),
        pool=f"destination_{sync.destination}",
        check_specs=[dg.AssetCheckSpec(DELIVERED, asset=key)],
        automation_condition=_condition(config),
    )
    def synced(context: dg.AssetExecutionContext, loader: dg.ResourceParam[Loader]) -> Iterator[Any]:
        with retried(context):
            results = loader.sync(name, Log(context.log), resync=False, approve=None, retry=None)
            yield from _events(config, name, results)

    return synced


def _condition(config: Config) -> dg.AutomationCondition[Any] | None:
    every = config.dagster.sync_every
    return dg.AutomationCondition.cron_tick_passed(every) & ~dg.AutomationCondition.in_progress() if every else None


def _events(config: Config, name: str, results: Sequence[SyncResult]) -> Iterator[Any]:
    """Materialize the audience and the sync; fail where a person must act."""
    last, key = results[-1], key_of(config, name)
    yield dg.AssetMaterialization(["audiences", name], metadata={"dagster/row_count": last.audience_rows})
    check = dg.AssetCheckResult(
        passed=last.well and not (last.rejected or last.failed or last.unknown),
        check_name=DELIVERED,
        asset_key=key,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"state": last.state, "rejected": last.rejected, "failed": last.failed, "unknown": last.unknown},
    )
    why = stopped(last)
    if why:
        yield dg.AssetObservation(key, metadata={**told(last), "why": why})
        yield check
        raise dg.Failure(why, metadata=told(last), allow_retries=False)
    yield dg.MaterializeResult(metadata=told(last), check_results=[check])


def stopped(result: SyncResult) -> str:
    """Return why a person must act, or nothing."""
    if result.state == "needs_approval":
        return (
            f"a guard stopped run {result.run_id}: {result.removes:,} removals of {result.audience_rows:,} rows; "
            f"look at its plan, then run the job approve_sync with sync {result.sync} and run {result.run_id}"
        )
    return f"run {result.run_id} failed: {result.error}" if result.state == "failed" else ""


def _sync_now() -> dg.JobDefinition:
    @dg.op
    def run_sync(context: dg.OpExecutionContext, config: SyncNow, loader: dg.ResourceParam[Loader]) -> None:
        """Plan a sync, and send it if that is not a dry run."""
        with retried(context):
            if config.dry_run:
                plan = loader.planned_sync(
                    config.sync, Log(context.log), resync=config.resync, retry=config.retry or None
                )
                context.add_output_metadata(planned(plan))
                return
            results = loader.sync(
                config.sync, Log(context.log), resync=config.resync, approve=None, retry=config.retry or None
            )
        _report(context, loader.config, config.sync, results)

    return _job("sync_now", "Run one sync now. A dry run shows the plan, with masked rows.", run_sync)


def _approve() -> dg.JobDefinition:
    @dg.op
    def approve(context: dg.OpExecutionContext, config: Approve, loader: dg.ResourceParam[Loader]) -> None:
        """Carry out a plan that a guard stopped, as it was shown."""
        with retried(context):
            results = loader.sync(config.sync, Log(context.log), resync=False, approve=config.run, retry=None)
        _report(context, loader.config, config.sync, results)

    return _job("approve_sync", "Carry out the plan of a sync that a guard stopped.", approve)


def _report(context: dg.OpExecutionContext, config: Config, name: str, results: Sequence[SyncResult]) -> None:
    """Show the run on the sync's own page too; fail where a person must act."""
    last = results[-1]
    context.add_output_metadata(told(last))
    if why := stopped(last):
        raise dg.Failure(why, metadata=told(last), allow_retries=False)
    context.log_event(dg.AssetMaterialization(["audiences", name], metadata={"dagster/row_count": last.audience_rows}))
    context.log_event(dg.AssetMaterialization(key_of(config, name), metadata=told(last)))


def _job(name: str, description: str, op: dg.OpDefinition) -> dg.JobDefinition:
    @dg.job(name=name, description=description, executor_def=dg.in_process_executor, tags={"loader/kind": "on_demand"})
    def job() -> None:
        op()

    return job
