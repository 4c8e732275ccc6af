"""Projects on a BigQuery that the tests serve."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from flow import harness
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from standins.bigquery import PROJECT, Standin

from loader.config import Config, load_config
from loader.core.objects import Store
from loader.core.report import Part
from loader.core.schema import Column
from loader.core.staging import Delivery, fixed_columns
from loader.core.types import ColumnType
from loader.core.warehouse import Site
from loader.load.edges import connected
from loader.warehouses.bigquery.patience import Patience
from loader.warehouses.bigquery.staging import Stage


def project(
    folder: Path,
    *,
    endpoint: str,
    events: Path | None = None,
    load: str = "workers = 1",
    source: str = "",
    more: str = "",
) -> Config:
    """Return the configuration of a project with one source `web`, whose tables are on the server at `endpoint`.

    `more`: lines of other settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (events or folder / "events").mkdir(exist_ok=True)
    path = folder / "loader.toml"
    path.write_text(
        f'[warehouse]\nkind = "bigquery"\nproject = "proj"\nendpoint = "{endpoint}"\n'
        f'[load]\nlock_wait = "20s"\nlease_ttl = "60s"\n{load}\n'
        f'[sources.web]\nurl = "{events or "events"}"\nlayout = "{harness.LAYOUT}"\n{source}\n{more}\n'
    )
    return load_config(path)


def query(config: Config, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query on the warehouse, whichever it is."""
    with connected(config, read_only=True) as opened, opened.session() as session:
        return session.execute(sql)


def stage(standin: Standin, store: Store, folder: Path) -> Stage:
    """Return the stage of a server, prepared; parts are in a folder, whatever the store."""
    nobody = AnonymousCredentials()  # type: ignore[no-untyped-call]  # google-auth has no types there
    client = bigquery.Client(PROJECT, credentials=nobody, client_options={"api_endpoint": standin.endpoint})
    site = Site(staging=store, local=lambda key: str(folder / key), threads=1, wait_seconds=1.0)
    made = Stage(client, site, {"loader_host": "here"}, Patience(site.over))
    made.prepare()
    return made


def delivered(folder: Path, **columns: str) -> Delivery:
    """Write a part of one row with some columns of its own; return the delivery that it is."""
    fixed = fixed_columns("track")
    made = {
        name: pa.array([None], pa.string() if kind is ColumnType.STRING else pa.int64())
        for name, kind in fixed.items()
        if kind is not ColumnType.TIMESTAMP
    }
    own = {name: pa.array([7] if kind == "integer" else ["7"]) for name, kind in columns.items()}
    pq.write_table(pa.table({**made, **own}), folder / "part")
    targets: Mapping[str, Column] = {name: Column(kind) for name, kind in fixed.items()}
    return Delivery("0123", "web", "clicked", [Part("part", 1, 100, columns)], fixed, targets)
