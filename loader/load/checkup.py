"""Does everything work that a load needs? Each thing is tried for real, and what was made is removed again."""

import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import gettempdir

from loader.config import Config, DuckDB, Source
from loader.core import partitions
from loader.core.compression import unpacked
from loader.core.objects import File, Store, find
from loader.core.results import Check, Doctor
from loader.errors import CapacityError, CorruptFileError, ObjectChangedError, StorageError
from loader.load import grants
from loader.load.probing import Step, tried
from loader.storage import connect, prepare
from loader.storage.folder import translated

_SAMPLE_FILES = 1000
_LEAST_FREE_BYTES = 1 << 30


def doctor(config: Config) -> Doctor:
    """Return what was tried, and whether it worked. Of steps that need each other, those after a failure are left out.

    Leaves nothing behind, but in a warehouse that exists the ledger's tables. Twice is the same as once.
    """
    url = config.staging.url
    missing = "://" not in url and not Path(url).exists()
    try:
        sources = (check for name in config.sources for check in tried(_source_steps(config, name)))
        return Doctor((*sources, *_staging(config), *grants.checks(config), *_disks(config)))
    finally:
        if missing:
            with suppress(OSError):  # not there, or not empty: a load has begun to use it
                Path(url).rmdir()


def _source_steps(config: Config, source: str) -> list[Step]:
    settings = config.sources[source]
    found: list[File] = []

    def listed() -> str:
        found.extend(islice(_events(config, settings).list(), _SAMPLE_FILES))
        more = "more than " * (len(found) == _SAMPLE_FILES)
        return f"{more}{len(found)} files in {settings.url}"

    def laid_out() -> str:
        return _laid_out(settings, found)

    def read() -> str:
        return _read(_events(config, settings), found)

    where = f"[sources.{source}]"
    return [
        (
            f"source {source}: list",
            listed,
            f"correct `url` or `access` in {where}, or let this user list {settings.url}",
        ),
        (f"source {source}: layout", laid_out, f"correct `layout` in {where}, or move the files"),
        (f"source {source}: read", read, f"let this user read the files of {settings.url}"),
    ]


def _laid_out(settings: Source, found: Sequence[File]) -> str:
    if settings.layout is None:
        return "none: a file's modification time tells its partition"
    strays = [file.key for file in found if _partition(settings, file) is None]
    if strays and len(strays) == len(found):
        raise StorageError(f"no file follows the layout {settings.layout!r}, for example {strays[0]!r}")
    aside = f"; {len(strays)} others are not loaded, for example {strays[0]!r}" if strays else ""
    return f"{len(found) - len(strays)} files follow {settings.layout!r}{aside}"


def _partition(settings: Source, file: File) -> datetime | None:
    return partitions.partition_of(file.key, file.modified_at, layout=settings.layout, step=settings.partition)


def _read(events: Store, found: Sequence[File]) -> str:
    """Read the first bytes of the first file that has some."""
    for file in found:
        with suppress(ObjectChangedError):
            try:
                first = next(unpacked(events.read(file)), b"")
            except CorruptFileError as error:
                return f"{file.key}: can be read, but {error}; a load quarantines such a file"
            return f"{file.key}: {len(first)} bytes of it, unpacked"
    return "no file is there yet"


def _events(config: Config, settings: Source) -> Store:
    return connect(settings.url, access=settings.access, base=config.base)


def _staging(config: Config) -> Iterator[Check]:
    store: list[Store] = []

    def opened() -> str:
        store.append(connect(config.staging.url, access=config.staging.access, base=config.base))
        prepare(store[0])
        return config.staging.url

    first = list(tried([("staging: open", opened, "correct `url` or `access` in [staging], or let this user make it")]))
    yield from first
    if first[0].ok:
        yield from tried(_staging_steps(store[0], f"doctor/{uuid.uuid4().hex}"))


def _staging_steps(store: Store, key: str) -> list[Step]:
    content = b"loader doctor"

    def written() -> str:
        store.write(key, content)
        return f"{len(content)} bytes"

    def created() -> str:
        answers = store.create(f"{key}-once", content), store.create(f"{key}-once", b"other")
        return _expected("created once, then refused", answers, (True, False))

    def listed() -> str:
        return _expected("both files", [each.key for each in store.list(key)], [key, f"{key}-once"])

    def read() -> str:
        file = find(store, key)
        return _expected("what was written", file and b"".join(store.read(file)), content)

    def deleted() -> str:
        store.delete([key, f"{key}-once"])
        return _expected("nothing is left", list(store.list(key)), [])

    let = f"in {store.url}"
    return [
        ("staging: write", written, f"let this user write {let}, or choose another `url` in [staging]"),
        ("staging: create once", created, f"the store must support conditional writes {let}; choose another"),
        ("staging: list", listed, f"let this user list objects {let}"),
        ("staging: read", read, f"let this user read objects {let}"),
        ("staging: delete", deleted, f"let this user delete objects {let}: {key} is left there"),
    ]


def _expected(told: str, found: object, wanted: object) -> str:
    if found != wanted:
        raise StorageError(f"expected {wanted!r}, found {found!r}")
    return told


def _disks(config: Config) -> Iterator[Check]:
    """Check the room on the disks of this machine that the warehouse, staging and temporary files are on."""
    places = {"temporary files": Path(gettempdir())}
    if isinstance(config.warehouse, DuckDB):
        places = {"warehouse": Path(config.warehouse.path).parent, **places}
    if "://" not in config.staging.url:
        places["staging"] = Path(config.staging.url)
    for name, path in places.items():
        yield from tried(
            [(f"disk: {name}", partial(_room, path), f"free some room for {path}, or choose another place")]
        )


def _room(path: Path) -> str:
    there = next(each for each in (path, *path.parents) if each.exists())
    with translated(there):
        free = shutil.disk_usage(there).free
    if free < _LEAST_FREE_BYTES:
        raise CapacityError(f"{there}: {free >> 20} MB are free, expected at least {_LEAST_FREE_BYTES >> 20} MB")
    return f"{free >> 30} GB are free"
