"""Lakes as a test needs them, and as somebody reads them who knows nothing of our code but the README."""

import json
from pathlib import Path
from typing import Any

import duckdb

from flow import harness
from loader.config import Config, load_config
from loader.core.objects import Store, load_bytes
from loader.storage import connect

PLAIN = "union_by_name = true, hive_partitioning = false"


def lake(folder: Path, *, access: str = "", url: str = "lake", source: str = "", load: str = "workers = 1") -> Config:
    """Return the configuration of a project in `folder` whose warehouse is a lake; more settings as TOML text."""
    (folder / "events").mkdir(parents=True, exist_ok=True)
    path = folder / "loader.toml"
    path.write_text(
        f'[warehouse]\nkind = "lake"\nurl = "{url}"\n{access}\n[load]\nlock_wait = "20s"\n{load}\n'
        f'[sources.web]\nurl = "events"\nlayout = "{harness.LAYOUT}"\n{source}\n'
    )
    return load_config(path)


def store(config: Config) -> Store:
    """Return the objects of the lake."""
    settings: Any = config.warehouse
    return connect(settings.url, access=settings.access, base=config.base)


def live(config: Config) -> dict[str, list[str]]:
    """Return the keys of each table's live files, as the newest catalogue and its lists say."""
    objects = store(config)
    *_, newest = objects.list("_loader/catalogue/")
    catalogue = json.loads(load_bytes(objects, newest.key) or b"")
    lists = {name: each["files"] for name, each in catalogue["tables"].items()}
    return {
        name: [file["key"] for file in json.loads(load_bytes(objects, key) or b"")] if key else []
        for name, key in lists.items()
    }


def rows(config: Config, table: str, *, columns: str = "*") -> list[tuple[Any, ...]]:
    """Return a table's rows (schema.table) by its live files, sorted."""
    objects, keys = store(config), live(config)[table]
    paths = [str(path) for path in _local(config, objects, keys)]
    return asked(f"SELECT {columns} FROM read_parquet({paths!r}, {PLAIN}) ORDER BY ALL") if paths else []


def asked(sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query by a DuckDB of nobody's."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found: list[tuple[Any, ...]] = connection.execute(sql).fetchall()
        return found


def _local(config: Config, objects: Store, keys: list[str]) -> list[Path]:
    if "://" not in objects.url:
        return [Path(objects.url) / key for key in keys]
    folder = config.base / "copies"
    folder.mkdir(exist_ok=True)
    paths = [folder / key.replace("/", "|") for key in keys]
    for path, key in zip(paths, keys, strict=True):
        path.write_bytes(load_bytes(objects, key) or b"")
    return paths


def contents(config: Config) -> dict[str, tuple[Any, ...]]:
    """Return each table's columns with their types, its number of rows and a sum of their hashes, but for ours."""
    found: dict[str, tuple[Any, ...]] = {}
    for name, keys in live(config).items():
        schema, _, table = name.partition(".")
        if schema != "loader" and keys:
            relation = f"read_parquet({[str(path) for path in _local(config, store(config), keys)]!r}, {PLAIN})"
            kinds = {each[0]: each[1] for each in asked(f"DESCRIBE SELECT * FROM {relation}")}
            names = sorted(kinds.keys() - {"loaded_at", "load_id"})
            listed = ", ".join(f'CAST("{each}" AS {kinds[each]})' for each in names)
            [counted] = asked(f"SELECT count(*), sum(hash({listed})) FROM {relation}")
            found[table] = (*((each, kinds[each]) for each in names), *counted)
    return found
