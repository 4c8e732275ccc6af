"""What a load job reads: objects in the staging bucket where that is Google's, else a file that is sent with the job.

Objects lie under the load's prefix, so whatever cleans up after a load removes them; their keys are made of what is in
them, so a try that was cut short leaves them to the next one. Several of a bounded size are read at once, and at most
10,000 by one job (cloud.google.com/bigquery/quotas#load_jobs, read 2026-11): more than a load can have.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from loader.core.objects import Store
from loader.core.warehouse import Site
from loader.warehouses.bigquery.parts import rewritten
from loader.warehouses.bigquery.shelves import Shelf

_OBJECT_BYTES = 128 << 20
_KEY = re.compile(r"(?P<of>[0-9a-f]+)-(?P<number>\d+)-(?P<rows>\d+)(?P<last>-last)?\.parquet")
_MEANINGS = "*#"  # in the address of an object: a wildcard, and what stands before a generation


@dataclass(frozen=True, slots=True)
class Source:
    """What one load job reads."""

    rows: int
    file: Path | None = None
    uris: Sequence[str] = ()


def source(site: Site, shelf: Shelf, scratch: Path) -> Source:
    """Return what fills a staging table, written in `scratch`, an empty folder, or to the bucket unless it is there."""
    if not _is_googles(site.staging):
        [(file, rows, _)] = _written(site, shelf, scratch, None)
        return Source(rows, file)
    there = [file.key for file in site.staging.list(f"{shelf.folder}/")]
    objects = _objects(there, shelf)
    if not objects:
        site.staging.delete(there)  # of a try that was cut short, or of other parts
        objects = dict(_made(site, shelf, scratch))
    return Source(sum(objects.values()), uris=[f"{site.staging.url}/{key}" for key in objects])


def discard(staging: Store, shelf: Shelf) -> None:
    """Delete the objects that were made for a staging table. Twice is fine."""
    if _is_googles(staging):
        staging.delete([file.key for file in staging.list(f"{shelf.folder}/")])


def _is_googles(staging: Store) -> bool:
    return staging.url.startswith("gs://") and not any(each in staging.url for each in _MEANINGS)


def _objects(there: Sequence[str], shelf: Shelf) -> dict[str, int]:
    """Return the objects of a folder that hold a shelf's rows, and how many each; none unless all are there."""
    names = [(key, _KEY.fullmatch(key.rpartition("/")[2])) for key in there]
    found = [(key, name) for key, name in names if name and name["of"] == shelf.fingerprint]
    whole = [(number, number == len(found) - 1) for number in range(len(found))]
    there_are = [(int(name["number"]), bool(name["last"])) for _, name in found]
    return {key: int(name["rows"]) for key, name in found} if there_are == whole else {}


def _made(site: Site, shelf: Shelf, scratch: Path) -> Iterator[tuple[str, int]]:
    """Write the objects, one after the other; yield each one's key and rows."""
    for number, (file, rows, is_last) in enumerate(_written(site, shelf, scratch, _OBJECT_BYTES)):
        key = f"{shelf.folder}/{shelf.fingerprint}-{number:05d}-{rows}{'-last' * is_last}.parquet"
        with pa.memory_map(str(file)) as mapped:  # it stays mapped until a write that failed lets go of it
            site.staging.write(key, memoryview(mapped.read_buffer()))
        file.unlink()
        yield key, rows


def _written(site: Site, shelf: Shelf, scratch: Path, max_bytes: int | None) -> Iterator[tuple[Path, int, bool]]:
    parts = [Path(site.local(part.key)) for part in shelf.group.parts]
    return rewritten(parts, shelf.columns, scratch, max_bytes=max_bytes)
