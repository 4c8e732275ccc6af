"""The Dagster project in a test: its definitions for a project's settings, and runs of its assets in this process."""

from functools import cache
from typing import Any

import dagster as dg

from dagster_project.build import build_defs
from loader.config import Config

START = '[dagster]\nstart = "2026-01-01"\n'
SHOWN = ("files", "events", "quarantined", "rows_of_its_loads")


def definitions(config: Config) -> dg.Definitions:
    """Return the definitions as `dagster dev` would load them now."""
    return build_defs(config.base / "loader.toml")


@cache
def remembering() -> dg.DagsterInstance:
    """Return an instance for runs whose history is nobody's concern: to make one costs as much as to load an hour."""
    return dg.DagsterInstance.ephemeral()


def materialized(
    config: Config,
    first: str,
    last: str | None = None,
    *,
    assets: tuple[str, ...] = ("web/events", "web/loads"),
    instance: dg.DagsterInstance | None = None,
    run_config: dict[str, Any] | None = None,
) -> dg.ExecuteInProcessResult:
    """Materialize a partition, or in one run the partitions from the first to the last."""
    ends = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last or first}
    return (
        definitions(config)
        .resolve_implicit_global_asset_job_def()
        .execute_in_process(
            partition_key=None if last else first,
            asset_selection=[dg.AssetKey.from_user_string(each) for each in assets],
            tags=ends if last else {},
            raise_on_error=False,
            instance=instance or remembering(),
            run_config=run_config,
        )
    )


def materializations(result: dg.ExecuteInProcessResult, asset: str) -> dict[str | None, dict[str, Any]]:
    """Return the metadata of an asset's materializations by partition."""
    return {
        event.partition: {name: each.value for name, each in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
        if event.asset_key and event.asset_key.to_user_string() == asset
    }


def counts(result: dg.ExecuteInProcessResult, asset: str) -> dict[str | None, dict[str, Any]]:
    """Return what does not differ from run to run of these."""
    return {
        partition: {name: each[name] for name in SHOWN if name in each}
        for partition, each in materializations(result, asset).items()
    }


def failure(result: dg.ExecuteInProcessResult) -> str:
    """Return why the run's step failed."""
    (event,) = result.filter_events(lambda event: event.is_step_failure)
    return str(event.step_failure_data.error)


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    """Return which checks passed."""
    return {each.check_name: each.passed for each in result.get_asset_check_evaluations()}
