"""Files that are not loaded yet → loads → shards of bounded bytes."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from loader.core.objects import File
from loader.core.places import MAX_FILES

ID_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file, and the start of the partition it lies in, in microseconds since 1970."""

    file: File
    partition_at: int


@dataclass(frozen=True, slots=True)
class PlannedLoad:
    """Files that are loaded together."""

    load_id: str
    arrivals: tuple[Arrival, ...]  # a file's place here is its ordinal

    @property
    def stored_bytes(self) -> int:
        return sum(each.file.size for each in self.arrivals)


def load_id(source: str, files: Iterable[File], *, attempt: int) -> str:
    """Return the name of a load: the same files of the same source have the same name, until they are replayed.

    `attempt`: how many loads of just these files there were before.
    """
    digest = hashlib.sha256(f"{source}\0{attempt}".encode())
    for file in files:
        digest.update(f"\0{file.key}\0{file.version}\0{file.size}".encode())
    return digest.hexdigest()[:ID_DIGITS]


def loads(source: str, arrivals: Sequence[Arrival], *, max_bytes: int, attempt: int = 0) -> Iterator[PlannedLoad]:
    """Yield loads of at most `max_bytes`, partition by partition; a larger file is a load of its own."""
    chosen: list[Arrival] = []
    size = 0
    for arrival in sorted(arrivals, key=lambda each: (each.partition_at, each.file.key)):
        if chosen and (size + arrival.file.size > max_bytes or len(chosen) == MAX_FILES):
            yield _load(source, chosen, attempt)
            chosen, size = [], 0
        chosen.append(arrival)
        size += arrival.file.size
    if chosen:
        yield _load(source, chosen, attempt)


def _load(source: str, arrivals: Sequence[Arrival], attempt: int) -> PlannedLoad:
    name = load_id(source, (each.file for each in arrivals), attempt=attempt)
    return PlannedLoad(name, tuple(arrivals))


def shards(sizes: Sequence[int], *, workers: int, max_bytes: int, min_bytes: int) -> list[tuple[int, ...]]:
    """Return the ordinals of each shard's files: shards of about equal bytes, as many for each worker.

    Few and large, since many small parts cost more than one large; no smaller than `min_bytes`, no larger than
    `max_bytes` but for a single file. Depends on the sizes and settings only, so that a second run makes the same.
    """
    total = sum(sizes)
    rounds = max(1, -(-total // (max_bytes * workers)))
    count = max(1, min(rounds * workers, total // max(min_bytes, 1), len(sizes)))
    while True:
        members = _spread(sizes, count)
        large = any(len(each) > 1 and sum(sizes[one] for one in each) > max_bytes for each in members)
        if not large or count >= len(sizes):
            return [tuple(sorted(each)) for each in members if each]
        count += 1


def _spread(sizes: Sequence[int], count: int) -> list[list[int]]:
    """Return `count` lists of ordinals of about equal bytes: the largest file first, into the emptiest list."""
    filled = [0] * count
    members: list[list[int]] = [[] for _ in range(count)]
    for ordinal in sorted(range(len(sizes)), key=lambda each: (-sizes[each], each)):
        smallest = filled.index(min(filled))
        members[smallest].append(ordinal)
        filled[smallest] += sizes[ordinal]
    return members
