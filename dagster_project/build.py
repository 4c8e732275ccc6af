"""The whole code location for a settings file, in one function: what `definitions` and the tests call."""

import os
import warnings
from pathlib import Path

import dagster as dg

from dagster_project.alerts import alert_sensor
from dagster_project.checks import source_checks, warehouse_specs
from dagster_project.ingest import source_assets
from dagster_project.jobs import jobs
from dagster_project.models import model_assets
from dagster_project.partitions import partitions
from dagster_project.readers import readers_assets
from dagster_project.resources import Loader
from dagster_project.reverse import sync_assets, sync_jobs
from dagster_project.schedules import schedules
from dagster_project.sensors import new_files_sensor, new_tables_sensor, status
from dagster_project.tables import table_specs
from loader.config import Config, load_config
from loader.load import listed_tables
from loader.load.modelling import models


def build_defs(config_path: Path) -> dg.Definitions:
    """Return the definitions for a settings file. Reads it and the lists of tables. Raises ConfigError."""
    config = load_config(config_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # backfill_policy; Dagster's own platform relies on it
        ingest = [
            source_assets(name, config, partitions(source, start=config.dagster.start))
            for name, source in config.sources.items()
        ]
    tables = {source: listed_tables(config, source) for source in config.sources}
    on_demand, checks = jobs(config), source_checks(config)
    # In one process: a step of its own costs two seconds, and the loader has processes of its own.
    return dg.Definitions(
        assets=[
            *ingest,
            *table_specs(config, tables),
            *warehouse_specs(config),
            *model_assets(config, models(config)),
            *readers_assets(config),
            *sync_assets(config),
        ],
        asset_checks=checks,
        jobs=[*on_demand, *sync_jobs(config)],
        schedules=schedules(config, on_demand, checks),
        sensors=[new_files_sensor(config), new_tables_sensor(config, tables), alert_sensor(config), _models(config)],
        resources={"loader": Loader(Path(os.path.abspath(config_path)))},
        executor=dg.in_process_executor,
    )


def _models(config: Config) -> dg.AutomationConditionSensorDefinition:
    on = status(config)
    return dg.AutomationConditionSensorDefinition(
        "models", target=dg.AssetSelection.all(), default_status=on, minimum_interval_seconds=30
    )
