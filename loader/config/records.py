"""The settings, as closed and immutable records: one per table of loader.toml, with its defaults.

The names are those of the file. `loader.config` reads them; nothing else makes one from text.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, field

from loader.config.access import Access
from loader.config.values import Duration, Frequency, Share, Size
from loader.config.warehouses import Warehouse
from loader.core.settings import Record, Secret

if TYPE_CHECKING:
    from loader.core.destination import Destination


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

    workers: Annotated[int, Meta(ge=0, le=1024)] = 0  # at once; 0: one per core, at most 8
    engine: Literal["local", "processes", "dask"] = "local"  # where shards are read
    dask: str | None = None  # address of its scheduler
    memory: Size = Size(448 * 1024**2)  # bytes, of all workers together
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
    sync_every: str | None = None  # when syncs run by themselves: five fields as in cron, in UTC
    snapshot: str | None = None  # a copy of the DuckDB file, for readers; made absolute by load_config


class Guard(Record, frozen=True):
    """What a run may not do unless a person approves it."""

    max_removals: Share = Share(0.2)  # of those that the tool has
    free_removals: Annotated[int, Meta(ge=0)] = 10  # so many are always allowed
    allow_empty: bool = False  # an audience of nobody


class Sync(Record, frozen=True):
    """One audience kept equal in one tool. One of `audience`, `table` and `dbt` says where it comes from."""

    key: str  # the column that names a row: never null, never twice
    destination: str
    mode: Literal["insert", "update", "upsert", "mirror", "audience"]
    fields: dict[str, str]  # the tool's field → a column
    audience: str | None = None  # a file of SQL: one query
    table: str | None = None  # schema.table
    dbt: str | None = None  # the name of a model
    manifest: str = "target/manifest.json"  # of dbt
    prehashed: tuple[str, ...] = ()  # fields whose columns hold SHA-256 already
    first_sync: Literal["send_all", "baseline_only", "adopt"] = "send_all"
    guard: Guard = Guard()
    refresh_days: Annotated[int, Meta(ge=0, le=3650)] = 0  # 0: what has not changed is not sent again
    suppress: str | None = None  # a file of SQL whose first column is keys: never sent
    holdout: Share = Share(0)  # of the keys, always the same ones: never sent
    max_attempts: Annotated[int, Meta(ge=1)] = 10  # after which a row that keeps failing is dead
    job_wait: Duration = Duration(minutes=10)  # for a tool's job to end, before the next run asks again


class Common(Record, frozen=True):
    """What every destination has besides its own settings."""

    kind: str
    private: bool = False  # may be at an address that is not on the public internet
    timeout: Duration = Duration(seconds=30)
    patience: Duration = Duration(minutes=3)  # for one request, with all its attempts
    max_rows: Annotated[int, Meta(ge=1)] | None = None  # in a request, where the tool takes fewer than its page says
    concurrency: Annotated[int, Meta(ge=1, le=64)] | None = None
    rate: Frequency | None = None  # of requests, in place of what the tool's page says: plans differ
    poll: Duration | None = None  # how often a job is asked for, in place of what its kind says


class Endpoint(Record, frozen=True):
    """A destination: what every one has, and its own settings, of the kind that its file declares."""

    common: Common
    own: Any

    @property
    def destination(self) -> "Destination[Any]":
        """What its file declares."""
        found: Destination[Any] = import_module(f"loader.destinations.{self.common.kind}").DESTINATION
        return found


class Config(Record, frozen=True):
    """All settings. `base` is the folder of loader.toml, which relative paths are relative to."""

    base: Path
    warehouse: Warehouse
    staging: Staging
    load: Load
    sources: dict[str, Source]
    dagster: Dagster = Dagster()
    destinations: dict[str, Endpoint] = field(default_factory=dict)
    syncs: dict[str, Sync] = field(default_factory=dict)
