"""The whole code location for a settings file, in one function: what `definitions` and the tests call."""

import os
import warnings
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from dagster_project.ingest import events_asset
from dagster_project.partitions import START, partitions
from dagster_project.resources import LoaderResource
from loader.config import load_config


def build_defs(config_path: Path, *, start: str = START) -> dg.Definitions:
    """Return the definitions for a settings file. Raises ConfigError where it is wrong."""
    config = load_config(config_path)
    first = datetime.fromisoformat(start).replace(tzinfo=UTC)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # backfill_policy; Dagster's own platform relies on it
        assets = [
            events_asset(name, partitions(source, start=first), pool=f"warehouse_{config.warehouse.kind}")
            for name, source in config.sources.items()
        ]
    # In one process: a step of its own costs two seconds, and the loader has processes of its own.
    return dg.Definitions(
        assets=assets,
        resources={"loader": LoaderResource(config_path=os.path.abspath(config_path))},
        executor=dg.in_process_executor,
    )
