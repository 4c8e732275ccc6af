"""The settings, as closed and immutable records: one per table of loader.toml, with its defaults.

The names are those of the file. `loader.config` reads them; nothing else makes one from text.
"""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from loader.config.values import Duration, Size
from loader.config.warehouses import Warehouse
from loader.core.settings import Record, Secret


class Access(Record, frozen=True):
    """How to reach a bucket. What is not set comes from the environment, a profile or the machine's role."""

    endpoint: str | None = None  # of a compatible service; http:// is allowed
    region: str | None = None
    access_key_id: Secret | None = None
    secret_access_key: Secret | None = None
    session_token: Secret | None = None
    path_style: bool | None = None  # false puts the bucket into the host name
    profile: str | None = None  # of ~/.aws/config; needs boto3
    kms_key_id: str | None = None  # encrypts what we write
    service_account_file: str | None = None  # gs:// only, as all above but `endpoint` is for s3://; made absolute


class Staging(Record, frozen=True):
    """Where Parquet parts wait between shredding and loading."""

    url: str = "staging"  # a folder made absolute by load_config, or s3://bucket/prefix
    keep_days: Annotated[int, Meta(ge=0, le=36500)] = 0  # 0: parts are deleted when their load is done
    access: Access | None = None


class Selection(Record, frozen=True):
    """Which names are loaded: those that match any of `include`, and none of `exclude`."""

    include: tuple[str, ...] = ("*",)  # patterns with * and ?
    exclude: tuple[str, ...] = ()


class Source(Record, frozen=True):
    """One place that event files arrive in, and the schema they are loaded into."""

    url: str  # a folder made absolute by load_config, or s3://bucket/prefix
    schema: str  # in the file: the source's name unless set
    layout: str | None = None  # pattern of keys; None: a file's modification time tells its partition
    partition: Literal["hour", "day"] = "hour"
    evolve: Literal["evolve", "freeze", "discard"] = "evolve"
    dedupe_window: Duration = Duration(days=7)
    lookback: Duration = Duration(days=7)
    max_depth: Annotated[int, Meta(ge=1, le=20)] = 5
    max_columns: Annotated[int, Meta(ge=20)] = 1000
    max_line_bytes: Size = Size(8 * 1024**2)
    events: Selection = Selection()
    properties: Selection = Selection()
    access: Access | None = None


class Load(Record, frozen=True):
    """How much a load takes at once, and how long it waits for others."""

    workers: Annotated[int, Meta(ge=0, le=1024)] = 0  # processes; 0: one per core, at most 8
    memory: Size = Size(512 * 1024**2)  # bytes, of all workers together
    shard_bytes: Size = Size(96 * 1024**2)  # as stored, of the files that one worker takes at once
    max_load_bytes: Size = Size(1024**3)  # as stored, of the files of one load
    lock_wait: Duration = Duration(seconds=60)
    lease_ttl: Duration = Duration(minutes=10)


class Dagster(Record, frozen=True):
    """How the Dagster project shows the sources, and runs them."""

    start: str = "2024-01-01"  # the date of the first partition, UTC; hours from here stay below 100,000
    partitions_per_run: Annotated[int, Meta(ge=1, le=1000)] = 48
    max_rejects: Annotated[float, Meta(ge=0, le=1)] = 0.1  # of a partition's events; above it the load is held back
    fresh_within: Duration = Duration(hours=3)
    automation: bool = False  # whether sensors and schedules are on in a new instance
    keep_runs_days: Annotated[int, Meta(ge=1)] = 30
    owners: tuple[str, ...] = ()  # e-mail addresses, or team:name
    url: str | None = None  # of the UI, as others reach it
    webhook: Secret | None = None  # told of failed runs
    snapshot: str | None = None  # a copy of the DuckDB file, for readers; made absolute by load_config


class Config(Record, frozen=True):
    """All settings. `base` is the folder of loader.toml, which relative paths are relative to."""

    base: Path
    warehouse: Warehouse
    staging: Staging
    load: Load
    sources: dict[str, Source]
    dagster: Dagster = Dagster()
