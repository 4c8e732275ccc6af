"""Projects on a BigQuery that the tests serve."""

from pathlib import Path
from typing import Any

from flow import harness

from loader.config import Config, load_config
from loader.load.edges import connected


def project(
    folder: Path, *, endpoint: str, events: Path | None = None, load: str = "workers = 1", source: str = ""
) -> Config:
    """Return the configuration of a project with one source `web`, whose tables are on the server at `endpoint`."""
    folder.mkdir(parents=True, exist_ok=True)
    (events or folder / "events").mkdir(exist_ok=True)
    path = folder / "loader.toml"
    path.write_text(
        f'[warehouse]\nkind = "bigquery"\nproject = "proj"\nendpoint = "{endpoint}"\n'
        f'[load]\nlock_wait = "20s"\nlease_ttl = "60s"\n{load}\n'
        f'[sources.web]\nurl = "{events or "events"}"\nlayout = "{harness.LAYOUT}"\n{source}\n'
    )
    return load_config(path)


def query(config: Config, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query on the warehouse, whichever it is."""
    with connected(config, read_only=True) as opened, opened.session() as session:
        return session.execute(sql)
