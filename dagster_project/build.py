"""The whole code location for a settings file, in one function: what `definitions` and the tests call."""

import os
import warnings
from pathlib import Path

import dagster as dg

from dagster_project.ingest import source_assets
from dagster_project.partitions import partitions
from dagster_project.resources import Loader
from dagster_project.tables import table_specs
from loader.config import load_config


def build_defs(config_path: Path) -> dg.Definitions:
    """Return the definitions for a settings file. Reads it and the lists of tables. Raises ConfigError."""
    config = load_config(config_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # backfill_policy; Dagster's own platform relies on it
        ingest = [
            source_assets(name, config, partitions(source, start=config.dagster.start))
            for name, source in config.sources.items()
        ]
    # In one process: a step of its own costs two seconds, and the loader has processes of its own.
    return dg.Definitions(
        assets=[*ingest, *table_specs(config)],
        resources={"loader": Loader(Path(os.path.abspath(config_path)))},
        executor=dg.in_process_executor,
    )
