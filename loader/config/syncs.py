"""Reading the settings of the reverse flow. Imported only where there are some: it imports the destinations."""

import re
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Any

import msgspec

from loader.config.reading import Place, nearest, record, table
from loader.config.records import Common, Endpoint, Sync
from loader.core.audience import Mode
from loader.core.destination import Destination
from loader.core.mapping import MappingError, checked
from loader.core.settings import Secret

_NAME = re.compile(r"[a-z_][a-z0-9_-]*")
_RESERVED = ("show", "check")  # words of the command line


def kinds() -> list[str]:
    """Return the kinds of destination that there are, in order."""
    return sorted(module.name for module in iter_modules(import_module("loader.destinations").__path__))


def destination(kind: str) -> Destination[Any]:
    """Return what the file of a kind declares."""
    found: Destination[Any] = import_module(f"loader.destinations.{kind}").DESTINATION
    return found


def endpoints(written: Any, place: Place) -> dict[str, Endpoint]:
    """Return the destinations that a table spells. Raises ConfigError."""
    found: dict[str, Endpoint] = {}
    for name, settings in table(written, place, None).items():
        here = place.inside(name)
        _check_name(name, here)
        found[name] = endpoint(settings, here)
    return found


def endpoint(written: Any, place: Place) -> Endpoint:
    """Return one destination: the settings of all, and those of its kind. Raises ConfigError."""
    common = {field.name for field in msgspec.structs.fields(Common)}
    kind = table(written, place, None).get("kind")
    if not isinstance(kind, str):
        raise place.error("kind", f"is missing; one of {', '.join(kinds())}")
    if not kind.isidentifier() or not find_spec(f"loader.destinations.{kind}"):
        raise place.error("kind", f"found {kind!r}{nearest(kind, kinds())}; one of {', '.join(kinds())}")
    declared = destination(kind).settings
    own = {field.name for field in msgspec.structs.fields(declared)}
    table(written, place, common | own)
    shared = record({key: value for key, value in written.items() if key in common}, Common, place)
    return Endpoint(
        common=shared, own=record({key: value for key, value in written.items() if key in own}, declared, place)
    )


def syncs(written: Any, place: Place, endpoints: Mapping[str, Endpoint]) -> dict[str, Sync]:
    """Return the syncs that a table spells. Raises ConfigError."""
    found: dict[str, Sync] = {}
    for name, settings in table(written, place, None).items():
        here = place.inside(name)
        _check_name(name, here)
        found[name] = sync = record(settings, Sync, here)
        _check_sync(sync, here, endpoints)
    return found


def _check_name(name: str, place: Place) -> None:
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise place.error("", f"{name!r} is no name; use small letters, digits, _ and -, and no word of the commands")


def _check_sync(sync: Sync, place: Place, endpoints: Mapping[str, Endpoint]) -> None:
    if sum(each is not None for each in (sync.audience, sync.table, sync.dbt)) != 1:
        raise place.error("audience", "write one of audience, table and dbt: where the rows come from")
    if sync.table is not None and not re.fullmatch(r"[^.\"`]+(\.[^.\"`]+){1,2}", sync.table):
        raise place.error("table", f"{sync.table!r} is no table; write schema.table")
    if sync.destination not in endpoints:
        known = ", ".join(endpoints) or "none"
        found = f"found {sync.destination!r}{nearest(sync.destination, endpoints)}"
        raise place.error("destination", f"{found}; the file has {known}; add [destinations.{sync.destination}]")
    there = endpoints[sync.destination].destination
    if Mode(sync.mode) not in there.modes:
        modes = ", ".join(sorted(mode.value for mode in there.modes))
        raise place.error("mode", f"{there.title} cannot {sync.mode}; it can {modes}")
    if not sync.fields:
        raise place.error("fields", "is empty; write the tool's fields and their columns")
    try:
        checked(there, sync.fields, sync.prehashed)
    except MappingError as error:
        raise place.error("fields", str(error)) from error
    if sync.first_sync == "adopt" and there.adopt is None:
        raise place.error("first_sync", f"{there.title} cannot be read, so nobody in it can be adopted; use send_all")
    if sync.first_sync == "baseline_only" and sync.mode == "update":
        raise place.error("first_sync", "baseline_only means nothing with mode update; remove it")


def secrets(endpoints: Iterable[Endpoint]) -> list[str]:
    """Return the secrets that destinations have, so that no message shows one."""
    values = (getattr(each.own, name) for each in endpoints for name in each.own.__struct_fields__)
    return [value.reveal() for value in values if isinstance(value, Secret)]
