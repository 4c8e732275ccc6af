"""A lake in a bucket: who reads it with DuckDB, while its small files become one and after that was killed."""

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import pytest
from obstore.fsspec import register
from standins import faults, gcs
from storage import buckets
from storage.buckets import Service

from flow import harness, lakes
from flow.harness import lines, track
from loader.config import Config, Secret
from loader.load import compact

PATIENCE_SECONDS = 120.0
README = Path(__file__).parents[2] / "loader" / "warehouses" / "lake" / "README.md"
IDS = [("m1", 1), ("m2", 1), ("m3", 1), ("m4", 1)]


@pytest.fixture(params=buckets.KINDS)
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    if request.param == "s3":
        yield buckets.on(request.getfixturevalue("object_store"))
        return
    with gcs.serve(buckets.NAME) as cloud:
        yield buckets.open_to_all(cloud)


def lake(service: Service, folder: Path, endpoint: str) -> Config:
    """Make a lake in the bucket with four loads, of two days."""
    url, access = f"{service.kind}://{buckets.NAME}/{folder.name}", f"access = {service.toml(endpoint=endpoint)}"
    config = lakes.lake(folder / "project", url=url, access=access)
    for day, number in (("01", 1), ("01", 2), ("02", 3), ("02", 4)):
        event = track(messageId=f"m{number}", receivedAt=f"2026-01-{day}T05:10:00Z", properties={f"p{number}": number})
        harness.put(config, f"2026-01-{day}/05/{number}", lines(event))
        harness.run(config)
    return config


def analyst(service: Service) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB that reads the bucket for itself."""
    shown = {name: getattr(service.access, name) for name in ("endpoint", "region", "access_key_id")}
    shown |= {"secret_access_key": service.access.secret_access_key}
    how: dict[str, Any] = {name: each.reveal() if isinstance(each, Secret) else each for name, each in shown.items()}
    if service.kind == "gs":
        how = {"base_url": service.endpoint, "bearer_token": "none"}
    register(service.kind)
    store = fsspec.filesystem(
        service.kind,
        config=how,
        client_options={"allow_http": True},
        skip_instance_cache=True,
    )
    connection = duckdb.connect()
    connection.register_filesystem(store)
    return connection


def by_catalogue(service: Service, config: Config) -> list[tuple[Any, ...]]:
    """Return what the README's statements find that read the live files, with how often."""
    [block] = re.findall(r"```\n(SET VARIABLE newest.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    written = block.replace("'lake/", f"'{lakes.store(config).url}/").replace("events.tracks", "web.order_completed")
    *setting, query = [each.strip() for each in written.split(";") if each.strip()]
    with analyst(service) as connection:
        for statement in setting:
            connection.execute(statement)
        found = query.replace("SELECT event_text,", "SELECT id,")
        assert found != query
        return sorted(connection.execute(found).fetchall())


def by_folder(service: Service, config: Config) -> list[tuple[Any, ...]]:
    """Return what whoever reads the whole folder finds, with how often."""
    pattern = f"{lakes.store(config).url}/web/order_completed/**/*.parquet"
    sql = f"SELECT id, count(*) FROM read_parquet('{pattern}', hive_partitioning = true, union_by_name = true)"
    with analyst(service) as connection:
        return sorted(connection.execute(f"{sql} WHERE day >= '2026-01-01' GROUP BY id").fetchall())


def there(config: Config) -> list[str]:
    return sorted(file.key for file in lakes.store(config).list("web/"))


def live(config: Config) -> list[str]:
    return sorted(key for name, keys in lakes.live(config).items() if name.startswith("web.") for key in keys)


def until(done: Any) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_readers_find_each_row_once_before_within_and_after_a_killed_compaction(
    service: Service, tmp_path: Path
) -> None:
    with faults.before(service.endpoint) as proxy:
        config = lake(service, tmp_path, proxy.endpoint)
        store, before = lakes.store(config), lakes.contents(config)
        assert by_folder(service, config) == by_catalogue(service, config) == IDS
        *_, newest = (file.key for file in store.list("_loader/catalogue/"))
        version = int(newest.rpartition("/")[2].removesuffix(".json"))
        commit = f"{version + 2:012}"  # after that which notes the new files
        proxy.spoil(rf"^PUT .*{commit}", "held")
        process = harness.start(config, "compact")
        until(lambda: proxy.spoiled["held"] or process.poll() is not None)
        assert proxy.spoiled["held"], process.communicate()
        assert by_catalogue(service, config) == IDS, "what is written, and not yet live, is in no reader's way"
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        proxy.release.set()  # the service does what was asked, though nobody waits for the answer
        until(lambda: any(commit in file.key for file in store.list("_loader/catalogue/")))
        assert by_catalogue(service, config) == IDS, "what is live no more, and still there, neither"
        found = [each.table for each in compact(config, harness.Silent())]
        assert found == ["web.tracks"], "the other table was done"
        assert by_folder(service, config) == by_catalogue(service, config) == IDS
        assert there(config) == live(config)
        assert len(there(config)) == 4, "a file for each day of both tables"
        assert lakes.contents(config) == before
        assert compact(config, harness.Silent()) == []
