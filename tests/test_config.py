"""The settings: what is read, what is refused and how it is said, and that no secret is shown."""

import pickle
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from loader.config import STARTER, Access, Config, DuckDB, Secret, Selection, Size, load_config, parse
from loader.errors import ConfigError

FULL = """
[warehouse]
path = "wh/events.duckdb"
threads = 3
memory = "1GB"

[staging]
url = "s3://lake/parts"
keep_days = 30
access = { endpoint = "http://127.0.0.1:9000", region = "eu-central-1", path_style = true }

[load]
workers = 4
memory = "2GB"
shard_bytes = "64MB"
max_load_bytes = 4096000000
lock_wait = "0s"
lease_ttl = "15m"

[sources.shop]
url = "s3://events/segment-logs"
layout = "segment-logs/{source}/{day_ms}/"
partition = "day"
evolve = "freeze"
dedupe_window = "12h"
lookback = "3d"
max_depth = 20
max_columns = 20
max_line_bytes = "64KB"
events = { include = ["Order *"], exclude = ["Order Debug"] }

[sources.shop.access]
access_key_id = "env:SHOP_ID"
secret_access_key = "env:SHOP_SECRET"
session_token = "literal-token"

[sources.app]
url = "app-events"
schema = "mobile"
"""
ENVIRONMENT = {"SHOP_ID": "AKIDKEY", "SHOP_SECRET": "verysecret", "EMPTY": ""}


def read(text: str) -> Config:
    return parse(text, where="loader.toml", environment=ENVIRONMENT)


def source(settings: str, *, url: str = "events") -> str:
    return f'[sources.shop]\nurl = "{url}"\n{settings}'


def test_every_setting_is_read() -> None:
    config = read(FULL)
    shop, app = config.sources["shop"], config.sources["app"]
    assert config.warehouse == DuckDB(path="wh/events.duckdb", threads=3, memory=Size(1 << 30))
    assert (config.staging.keep_days, config.load.max_load_bytes) == (30, 4_096_000_000)
    assert config.staging.access == Access(endpoint="http://127.0.0.1:9000", region="eu-central-1", path_style=True)
    assert (config.load.lock_wait, config.load.lease_ttl) == (timedelta(0), timedelta(minutes=15))
    assert (shop.schema, app.schema) == ("shop", "mobile")
    assert (shop.dedupe_window, shop.lookback) == (timedelta(hours=12), timedelta(days=3))
    assert (shop.max_depth, shop.max_columns, shop.max_line_bytes) == (20, 20, 65536)
    assert shop.events == Selection(include=("Order *",), exclude=("Order Debug",))
    assert shop.access is not None
    assert shop.access.secret_access_key == Secret("verysecret")


def test_nothing_needs_to_be_set_but_the_url_of_a_source() -> None:
    config = read(source(""))
    assert config.warehouse == DuckDB(kind="duckdb", path="warehouse.duckdb", threads=None)
    assert (config.staging.url, config.staging.keep_days) == ("staging", 0)
    assert (config.load.workers, config.load.memory, config.load.lock_wait) == (0, 448 << 20, timedelta(seconds=60))
    assert config.sources["shop"].dedupe_window == timedelta(days=7)
    assert read("").sources == {}


def test_the_starter_is_a_configuration_of_nothing_but_defaults() -> None:
    assert read(STARTER) == read('[sources.events]\nurl = "events"\n')


def test_the_starter_shows_every_setting_and_its_commented_lines_are_the_defaults() -> None:
    settings, _, access = STARTER.partition("# How to reach s3:// and gs://")
    config = read(STARTER)
    for record in (config.warehouse, config.staging, config.load, config.sources["events"]):
        for name in record.__struct_fields__:
            assert f"\n# {name} = " in settings or f"\n{name} = " in settings or name == "access"
    for name in Access.__struct_fields__:
        assert f"\n# {name} = " in access
    examples = ("# threads", "# dask", "# layout", "# access", "# Durations")
    lines = [line.removeprefix("# ") for line in settings.splitlines() if not line.startswith(examples)]
    assert read("\n".join(line for line in lines if line.startswith("[") or " = " in line)) == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[warehouse]\nmemry = "1GB"', "] memry: no such setting (did you mean 'memory'?); allowed are kind, mem"),
        ('[surces.x]\nurl = "e"', "top level surces: no such setting (did you mean 'sources'?)"),
        (source("zzz = 1"), "[sources.shop] zzz: no such setting; allowed are access, dedupe_window, events"),
        (source('events = { inclde = ["a"] }'), "[sources.shop.events] inclde: no such setting (did"),
        (source('partition = "hourly"'), "partition: found 'hourly' (did you mean 'hour'?); expected one of"),
        ('[warehouse]\nkind = "duckbd"', "[warehouse] kind: found 'duckbd' (did you mean 'duckdb'?)"),
        (source("partition = 1"), "[sources.shop] partition: expected a string, found 1"),
        ('[load]\nworkers = "2"', "[load] workers: expected a whole number, found a string"),
        ("[load]\nworkers = true", "[load] workers: expected a whole number, found true"),
        ("[load]\nworkers = -1", "[load] workers: expected a whole number >= 0, found -1"),
        (source("max_depth = 21"), "[sources.shop] max_depth: expected a whole number <= 20, found 21"),
        (source("max_columns = 19"), "[sources.shop] max_columns: expected a whole number >= 20, found 19"),
        (source('events = { include = "a" }'), "include: expected a list of strings, found a string"),
        (source('events = { include = ["a", 1] }'), "include: expected a list of strings, found a list"),
        (source('access = "a"', url="s3://e"), "[sources.shop.access]: expected a table, found a string"),
        ("sources = 3", "[sources]: expected a table, found 3"),
        ("[[sources.x]]", "[sources.x]: expected a table, found a list"),
        ("[sources.x]", "[sources.x] url: is missing; set it"),
        ('[load]\nlock_wait = "5x"', "[load] lock_wait: '5x' is no duration of at most ten years; write one"),
        ("[load]\nlock_wait = 60", "[load] lock_wait: 60 is no duration"),
        ('[load]\nlease_ttl = "99999d"', "is no duration of at most ten years"),
        ('[load]\nlease_ttl = "0s"', "[load] lease_ttl: is 0s, so a load would lose its lease"),
        ('[load]\nmemory = "1 gigabyte"', "'1 gigabyte' is no size; write a number of bytes above zero"),
        ('[load]\nmemory = "0MB"', "[load] memory: '0MB' is no size"),
        ("[load]\nmemory = -5", "[load] memory: -5 is no size"),
        ('[load]\nmax_load_bytes = "1MB"', "[load] shard_bytes: is above max_load_bytes"),
        ("a = \n", "this is not TOML: Invalid value (at line 1, column 5)"),
        ('[sources.Shop]\nurl = "e"', "[sources.Shop]: 'Shop' is no name; use small letters, digits and _"),
        (source('schema = "1a"'), "[sources.shop] schema: '1a' is no name"),
        ('[sources.loader]\nurl = "e"', "[sources.loader]: 'loader' is the schema of the"),
        (source('schema = "loader"'), "schema: 'loader' is the schema of the loader's own"),
        (source("") + '[sources.app]\nurl = "e"\nschema = "shop"', "schema: 'shop' is that of source 'shop' too"),
        (source("", url=""), "[sources.shop] url: is empty"),
        (source("", url="ftp://x"), "[sources.shop] url: ftp: is no kind of store"),
        (source("", url="env:URL"), "[sources.shop] url: env: is no kind of store"),
        (source("", url="s3:events"), "[sources.shop] url: expected s3://bucket or s3://bucket/prefix"),
        ('[staging]\nurl = "s3:///p"', "[staging] url: expected s3://bucket or s3://bucket/prefix"),
        (source('layout = "{yyyy}/{mm}/{dd}/"'), "does not tell the hour; add {hh}, or set partition ="),
        (source('layout = "{day_ms}/"'), "does not tell the hour"),
        (source('layout = "{yyyy}/{mm}/{hh}/"'), "does not tell the day; add {yyyy}, {mm} and {dd}, or {day_ms}"),
        (source('layout = "{yyy}/"'), "{yyy} is no placeholder (did you mean 'yyyy'?); allowed are {yyyy}, {mm}"),
        (source('layout = "{yyyy/{mm}"'), "has a brace without its other half"),
        (source('access = { region = "x" }'), "access: is for buckets, and url 'events' is a folder"),
        (source('access = { access_key_id = "a" }', url="s3://e"), "has one of access_key_id and secret_access_key"),
        (source('access = { session_token = "a" }', url="s3://e"), "has a session_token without access_key_id"),
        (
            source('access = { profile = "p", access_key_id = "a", secret_access_key = "b" }', url="s3://e"),
            "has a profile and keys",
        ),
        (source('access = { endpoint = "127.0.0.1:9000" }', url="s3://e"), "has an endpoint that is no address"),
        (source('access = { access_key_id = "env:NO_SUCH" }', url="s3://e"), "variable 'NO_SUCH' is not set"),
        (
            source('access = { access_key_id = "env:EMPTY" }', url="s3://e"),
            "access_key_id: the environment variable 'EMPTY'",
        ),
        (source("access = { access_key_id = 5 }", url="s3://e"), "[sources.shop.access] access_key_id: is no text"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_to_do(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert str(caught.value).startswith("loader.toml: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "layout",
    ["{yyyy}/{mm}/{dd}/{hh}/", "day={yyyy}-{mm}-{dd}/hr={hh}/", "{source}/{day_ms}/{hh}/", "{yyyy}/{yyyy}{mm}{dd}{hh}"],
)
def test_a_layout_that_tells_the_hour_is_taken(layout: str) -> None:
    assert read(source(f'layout = "{layout}"')).sources["shop"].layout == layout


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (FULL + "\n[sources.x]", "verysecret"),
        (source('access = "verysecret"', url="s3://e"), "verysecret"),
        (source('access = { secret_acces_key = "verysecret" }', url="s3://e"), "verysecret"),
        (source('access = { access_key_id = "a", secret_access_key = ["verysecret"] }', url="s3://e"), "verysecret"),
        (source('access = { secret_access_key = "verysecret" }', url="s3://e"), "verysecret"),
        (source("", url="s3://AKIDKEY:verysecret@events"), "verysecret"),
        (source('access = { endpoint = "http://a:verysecret@host" }', url="s3://e"), "verysecret"),
    ],
)
def test_an_error_shows_no_secret(text: str, secret: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert secret not in f"{caught.value} {caught.value.__cause__}"


def test_a_configuration_shows_no_secret() -> None:
    config = read(FULL)
    for shown in (repr(config), str(config), f"{config.sources['shop'].access}"):
        for secret in ("AKIDKEY", "verysecret", "literal-token"):
            assert secret not in shown


def test_a_configuration_can_be_sent_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(read(FULL))) == read(FULL)


@pytest.mark.parametrize("record", [read(FULL), read(FULL).sources["shop"], read(FULL).load])
def test_a_configuration_does_not_change(record: Any) -> None:
    with pytest.raises(AttributeError, match="immutable"):
        setattr(record, record.__struct_fields__[0], None)


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_ID", "a")
    monkeypatch.setenv("SHOP_SECRET", "b")
    (tmp_path / "loader.toml").write_text(FULL + '[sources.old]\nurl = "/var/../srv/old"\n')
    monkeypatch.chdir(tmp_path.parent)
    config = load_config(Path(tmp_path.name) / "loader.toml")
    assert config.base == tmp_path
    assert config.warehouse == DuckDB(path=str(tmp_path / "wh/events.duckdb"), threads=3, memory=Size(1 << 30))
    assert config.staging.url == "s3://lake/parts"
    assert {name: source.url for name, source in config.sources.items()} == {
        "shop": "s3://events/segment-logs",
        "app": str(tmp_path / "app-events"),
        "old": "/srv/old",
    }


def test_a_warehouse_in_memory_stays_there(tmp_path: Path) -> None:
    (tmp_path / "loader.toml").write_text('[warehouse]\npath = ":memory:"')
    assert load_config(tmp_path / "loader.toml").warehouse == DuckDB(path=":memory:")


def test_a_missing_file_is_named_with_the_command_that_writes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"loader\.toml does not exist; write one with `loader init`"):
        load_config(tmp_path / "loader.toml")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "loader.toml").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "loader.toml", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read as UTF-8 text"):
            load_config(path)
