"""The copy of the DuckDB file for readers, as an asset: made anew after loads, at most every 15 minutes."""

import dagster as dg

from dagster_project.ingest import pool
from dagster_project.models import calm
from dagster_project.resources import Loader, retried
from loader.config import Config

KEY = dg.AssetKey(["readers", "snapshot"])


def readers_assets(config: Config) -> list[dg.AssetsDefinition]:
    """Return the copy, if the settings name a file for it."""
    if config.dagster.snapshot is None:
        return []

    @dg.asset(
        key=KEY,
        deps=[dg.AssetKey([source, "loads"]) for source in config.sources],
        description="A copy of the warehouse for readers: open this one, so that no load has to wait for you.",
        group_name="readers",
        kinds={"duckdb"},
        owners=list(config.dagster.owners),
        pool=pool(config, ""),
        automation_condition=calm(),
    )
    def snapshot(context: dg.AssetExecutionContext, loader: dg.ResourceParam[Loader]) -> dg.MaterializeResult:  # type: ignore[type-arg]
        with retried(context):
            size, held = loader.snapshot()
        return dg.MaterializeResult(metadata={"bytes": size, "seconds_that_loads_waited": held})

    return [snapshot]
