"""What happens by the clock: a catch-up after the sensor, checks of the warehouse, pruning, compaction of a lake."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from dagster_project.partitions import key_of
from loader.config import Config
from loader.core.partitions import STEPS, truncated

CATCH_UP, CHECK, PRUNE, COMPACT = "7 * * * *", "37 5 * * *", "17 4 * * *", "47 3 * * *"
BACK = {"hour": 24, "day": 3}  # partitions that the catch-up takes


def schedules(
    config: Config, jobs: list[dg.JobDefinition], asked: list[dg.AssetChecksDefinition]
) -> list[dg.ScheduleDefinition]:
    """Return the schedules, on in a new instance if the settings say so; `asked` are checks that ask the warehouse."""
    on = dg.DefaultScheduleStatus.RUNNING if config.dagster.automation else dg.DefaultScheduleStatus.STOPPED
    (prune,) = [job for job in jobs if job.name == "prune"]
    checks = dg.define_asset_job(
        "check_warehouse",
        selection=dg.AssetSelection.checks(*(key for check in asked for key in check.check_keys)),
        executor_def=dg.in_process_executor,
        description="Run the checks that ask the warehouse.",
    )
    compacting = [job for job in jobs if job.name == "compact"]  # of a lake
    return [
        *_catch_ups(config, on),
        *(dg.ScheduleDefinition(job=job, cron_schedule=COMPACT, default_status=on) for job in compacting),
        dg.ScheduleDefinition(job=checks, cron_schedule=CHECK, default_status=on),
        dg.ScheduleDefinition(
            job=prune,
            cron_schedule=PRUNE,
            default_status=on,
            run_config={"ops": {"delete_old": {"config": {"dry_run": False}}}},
        ),
    ]


def _catch_ups(config: Config, on: dg.DefaultScheduleStatus) -> list[dg.ScheduleDefinition]:
    """Return `catch_up`, or one for each length of partitions: a run, and so a schedule's target, has only one."""
    steps = [step for step in BACK if any(source.partition == step for source in config.sources.values())]
    names = ["catch_up", *(f"catch_up_{step}" for step in steps[1:])]
    return [_catch_up(config, on, name, step) for name, step in zip(names, steps, strict=False)]


def _catch_up(config: Config, on: dg.DefaultScheduleStatus, name: str, step: str) -> dg.ScheduleDefinition:
    sources = [name for name, source in config.sources.items() if source.partition == step]

    @dg.schedule(
        name=name,
        cron_schedule=CATCH_UP,
        target=dg.AssetSelection.assets(
            *(dg.AssetKey([each, half]) for each in sources for half in ("events", "loads"))
        ),
        default_status=on,
        description="Loads what the sensor missed, and marks hours without files as done.",
    )
    def catch_up(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
        return [each for each in _requests(config, context.scheduled_execution_time) if step in str(each.run_key)]

    return catch_up


def _requests(config: Config, now: datetime) -> Iterator[dg.RunRequest]:
    """Yield a run over the last complete partitions, for all sources that have such."""
    for step, back in BACK.items():
        sources = [name for name, source in config.sources.items() if source.partition == step]
        ended = truncated(now, step) - STEPS[step]
        first = max(ended - (back - 1) * STEPS[step], datetime.fromisoformat(config.dagster.start).replace(tzinfo=UTC))
        if sources and first <= ended:  # before `start` there are no partitions
            yield dg.RunRequest(
                run_key=f"{step} {ended:%Y-%m-%dT%H}",
                asset_selection=[dg.AssetKey([source, half]) for source in sources for half in ("events", "loads")],
                tags={
                    "dagster/asset_partition_range_start": key_of(first, step),
                    "dagster/asset_partition_range_end": key_of(ended, step),
                    "loader/kind": "catch_up",
                    "sources": ", ".join(sources),
                },
            )
