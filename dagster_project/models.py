"""SQL models as assets, `<source>/models/<key>`: made anew after loads, at most every 15 minutes."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from dagster_project.ingest import pool
from dagster_project.resources import Loader, retried
from loader.config import Config
from loader.core.model import Model

EVERY = "*/15 * * * *"


def model_assets(config: Config, found: list[Model]) -> list[dg.AssetsDefinition]:
    """Return every model of every source."""
    return [_asset(config, source, model) for source in config.sources for model in found]


def calm() -> dg.AutomationCondition[Any]:
    """Return the condition of models: a bounded rate, and only after something was loaded.

    Not `eager`, which never fires below an hourly asset of which any hour is missing.
    """
    loaded = dg.AutomationCondition.any_deps_updated().since(dg.AutomationCondition.newly_requested())
    return (
        dg.AutomationCondition.cron_tick_passed(EVERY).since(dg.AutomationCondition.newly_requested())
        & loaded
        & ~dg.AutomationCondition.in_progress()
    )


def _asset(config: Config, source: str, model: Model) -> dg.AssetsDefinition:
    key = dg.AssetKey([source, "models", model.key])
    names = {check.name: check for check in model.checks}

    @dg.asset(
        key=key,
        deps=[_dep(source, dep) for dep in model.deps],
        description=f"{model.description}\n\n```sql\n{model.query(config.sources[source].schema)}\n```",
        group_name=source,
        kinds={"sql", config.warehouse.kind},
        owners=list(config.dagster.owners),
        pool=pool(config, source),
        automation_condition=calm(),
        check_specs=[dg.AssetCheckSpec(name, asset=key) for name in names],
        metadata={"dagster/table_name": f"{config.sources[source].schema}_models.{model.key}"},
    )
    def made(context: dg.AssetExecutionContext, loader: dg.ResourceParam[Loader]) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
        with retried(context):
            result = loader.make(source, model)
        schema = dg.TableSchema([dg.TableColumn(name, kind) for name, kind in result.columns])
        yield dg.MaterializeResult(
            metadata={"dagster/row_count": result.rows, "dagster/column_schema": schema, "seconds": result.seconds},
            check_results=[
                dg.AssetCheckResult(passed=not rows, check_name=name, asset_key=key, metadata={"rows": rows})
                for name, rows in result.broken
            ],
        )

    return made


def _dep(source: str, dep: str) -> dg.AssetKey:
    """Return what a model waits for: other models themselves, tables through the loads that fill them."""
    kind, _, name = dep.rpartition(".")
    return dg.AssetKey([source, kind, name] if kind else [source, "tables", name])
