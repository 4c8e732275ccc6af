"""Settings: read once from loader.toml, checked whole, then immutable. Secrets may come from the environment."""

import os
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from loader.config.access import Access
from loader.config.checks import check_access, check_dagster, check_source, check_url
from loader.config.reading import Place, nearest, record, table
from loader.config.records import Config, Dagster, Endpoint, Load, Selection, Source, Staging, Sync
from loader.config.starter import STARTER
from loader.config.values import Duration, Size
from loader.config.warehouses import FILES, IN_MEMORY, KINDS, DuckDB, Lake, Warehouse
from loader.core.settings import Secret
from loader.errors import ConfigError

__all__ = [
    "STARTER",
    "Access",
    "Config",
    "Dagster",
    "DuckDB",
    "Duration",
    "Endpoint",
    "Load",
    "Secret",
    "Selection",
    "Size",
    "Source",
    "Staging",
    "Sync",
    "Warehouse",
    "load_config",
    "parse",
]
P = TypeVar("P", Source, Staging, Lake)


def load_config(path: Path, *, absent: str | None = None) -> Config:
    """Read loader.toml; folders and the warehouse file become absolute paths. Raises ConfigError.

    `absent` stands for secrets that are not in the environment; without it they are an error.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist; write one with `loader init`, or name another") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as UTF-8 text: {error}") from error
    environment = os.environ if absent is None else defaultdict(lambda: absent, os.environ)
    return _anchored(parse(text, where=str(path), environment=environment), Path(os.path.abspath(path.parent)))


def parse(text: str, *, where: str, environment: Mapping[str, str]) -> Config:
    """Return the settings written in `text`, paths as written. Errors name `where`; secrets come from `environment`.

    Raises ConfigError at the first thing that is wrong.
    """
    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: this is not TOML: {error}") from error
    place = Place(where, (), environment)
    tables = table(written, place, ("warehouse", "staging", "load", "sources", "dagster", "destinations", "syncs"))
    destinations, syncs = _reverse(tables, place)
    config = Config(
        base=Path(),
        warehouse=_warehouse(tables.get("warehouse", {}), place.inside("warehouse")),
        staging=record(tables.get("staging", {}), Staging, place.inside("staging")),
        load=record(tables.get("load", {}), Load, place.inside("load")),
        sources=_sources(tables.get("sources", {}), place.inside("sources")),
        dagster=record(tables.get("dagster", {}), Dagster, place.inside("dagster")),
        destinations=destinations,
        syncs=syncs,
    )
    _check(config, place)
    return config


def _check(config: Config, place: Place) -> None:
    check_dagster(config.dagster, place.inside("dagster"))
    check_url(config.staging.url, place.inside("staging"))
    check_access(config.staging.access, config.staging.url, place.inside("staging"))
    if config.load.shard_bytes > config.load.max_load_bytes:
        raise place.inside("load").error("shard_bytes", "is above max_load_bytes; lower it, or raise max_load_bytes")
    if config.load.engine == "dask" and config.load.dask is None:
        raise place.inside("load").error("dask", 'is missing; engine = "dask" needs the address of a scheduler')
    if not config.load.lease_ttl:
        raise place.inside("load").error(
            "lease_ttl", "is 0s, so a load would lose its lease at once; write a longer one"
        )


def _reverse(tables: Mapping[str, Any], place: Place) -> tuple[dict[str, Endpoint], dict[str, Sync]]:
    if not tables.get("destinations") and not tables.get("syncs"):
        return {}, {}
    from loader.config.syncs import endpoints, syncs  # slow to import, so only where it is used

    found = endpoints(tables.get("destinations", {}), place.inside("destinations"))
    return found, syncs(tables.get("syncs", {}), place.inside("syncs"), found)


def _warehouse(written: Any, place: Place) -> Warehouse:
    """Return the settings of the warehouse; its `kind` says which there are."""
    kind = table(written, place, None).get("kind", DuckDB().kind)
    if kind not in KINDS:
        listed = ", ".join(map(repr, KINDS))
        raise place.error("kind", f"found {kind!r}{nearest(str(kind), KINDS)}; expected one of {listed}")
    found = record(written, KINDS[kind], place)
    if isinstance(found, Lake):
        check_url(found.url, place)
        check_access(found.access, found.url, place)
    return found


def _sources(written: Any, place: Place) -> dict[str, Source]:
    sources: dict[str, Source] = {}
    for name, settings in table(written, place, None).items():
        here = place.inside(name)
        source = record({"schema": name, **table(settings, here, None)}, Source, here)
        check_source(name, source, sources, here)
        sources[name] = source
    return sources


def _anchored(config: Config, base: Path) -> Config:
    """Return the same settings with the paths made absolute; those relative are relative to `base`."""
    paths = {name: found for name in FILES if (found := getattr(config.warehouse, name, None))}
    anchored = {name: path if path == IN_MEMORY else _absolute(path, base) for name, path in paths.items()}
    warehouse = replace(config.warehouse, **anchored)
    return replace(
        config,
        base=base,
        warehouse=_anchored_place(warehouse, base) if isinstance(warehouse, Lake) else warehouse,
        staging=_anchored_place(config.staging, base),
        sources={name: _anchored_place(source, base) for name, source in config.sources.items()},
        dagster=replace(config.dagster, snapshot=config.dagster.snapshot and _absolute(config.dagster.snapshot, base)),
        destinations={name: _anchored_endpoint(each, base) for name, each in config.destinations.items()},
        syncs={name: _anchored_sync(sync, base) for name, sync in config.syncs.items()},
    )


def _anchored_place(place: P, base: Path) -> P:
    access = place.access
    if access is not None and access.service_account_file is not None:
        access = replace(access, service_account_file=_absolute(access.service_account_file, base))
    return replace(place, url=_anchored_url(place.url, base), access=access)


def _anchored_url(url: str, base: Path) -> str:
    return url if "://" in url else _absolute(url, base)


def _absolute(path: str, base: Path) -> str:
    return os.path.abspath(base / Path(path).expanduser())


def _anchored_endpoint(endpoint: Endpoint, base: Path) -> Endpoint:
    """Return the destination with its folder made absolute, where it is one."""
    url = getattr(endpoint.own, "url", None)
    if not isinstance(url, str) or "://" in url:
        return endpoint
    return replace(endpoint, own=replace(endpoint.own, url=_absolute(url, base)))


def _anchored_sync(sync: Sync, base: Path) -> Sync:
    files = {name: getattr(sync, name) for name in ("audience", "suppress", "manifest")}
    return replace(sync, **{name: _absolute(path, base) for name, path in files.items() if path is not None})
