"""The objects of the Cloud Storage stand-in: writes with preconditions, and pages of listings. No HTTP here."""

import base64
import hashlib
import re
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import count, islice
from threading import RLock

import google_crc32c

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_MAX_NAME_BYTES = 1024
_MAX_COMPOSED = 32
PAGE = 1000


class RefusedError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


@dataclass(frozen=True, slots=True)
class Meta:
    """What a writer says of an object."""

    content_type: str = "application/octet-stream"
    content_encoding: str | None = None
    cache_control: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    md5: str | None = None  # base64, as sent: must be that of the bytes
    crc32c: str | None = None


@dataclass(frozen=True)
class Stored:
    """One generation of an object."""

    name: str
    data: bytes
    generation: int
    updated_at: datetime
    meta: Meta
    composite: bool = False

    @cached_property
    def md5(self) -> bytes:
        return hashlib.md5(self.data).digest()

    @cached_property
    def crc32c(self) -> str:
        return base64.b64encode(google_crc32c.value(self.data).to_bytes(4, "big")).decode()

    @property
    def etag(self) -> str:
        """The XML API's: the MD5 of what was uploaded in one piece, and something else of what was not."""
        return f'"-{self.generation}"' if self.composite else f'"{self.md5.hex()}"'


@dataclass(frozen=True, slots=True)
class Conditions:
    """What must hold for a request to be carried out."""

    generation: str | None = None
    not_generation: str | None = None
    etag: str | None = None

    def check(self, found: Stored | None) -> None:
        """Raise RefusedError unless it holds for what is there now."""
        now = str(found.generation) if found else "0"
        if self.generation is not None and self.generation != now:
            raise RefusedError(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
        if self.etag not in (None, "*", found.etag if found else ""):
            raise RefusedError(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
        if self.not_generation is not None and self.not_generation == now:
            raise RefusedError(304, "notModified", "Not Modified")


NONE = Conditions()


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a listing."""

    items: list[Stored]
    prefixes: list[str]
    last: str | None  # where the next page goes on, or None if there is none


class Buckets:
    """All buckets. Calls of several threads take turns."""

    def __init__(self, names: Iterable[str], location: str = "US") -> None:
        self.location = location
        self._lock = RLock()
        self._objects: dict[str, dict[str, Stored]] = {name: {} for name in names}
        self._names: dict[str, list[str]] = {name: [] for name in names}
        self._generations = count(1_700_000_000_000_000)

    def create(self, bucket: str) -> None:
        with self._lock:
            if not _BUCKET.fullmatch(bucket):
                raise RefusedError(400, "invalid", f"Invalid bucket name: {bucket!r}")
            if bucket in self._objects:
                raise RefusedError(409, "conflict", "Your previous request to create the named bucket succeeded.")
            self._objects[bucket], self._names[bucket] = {}, []

    def there(self, bucket: str) -> dict[str, Stored]:
        if bucket not in self._objects:
            raise RefusedError(404, "notFound", "The specified bucket does not exist.")
        return self._objects[bucket]

    def put(
        self, bucket: str, name: str, data: bytes, meta: Meta, conditions: Conditions, *, composite: bool = False
    ) -> Stored:
        """Write an object at once and whole; the conditions hold at that instant."""
        with self._lock:
            objects = self.there(bucket)
            _check_name(name)
            conditions.check(objects.get(name))
            made = Stored(name, data, next(self._generations), datetime.now(UTC), meta, composite)
            if meta.md5 is not None and meta.md5 != base64.b64encode(made.md5).decode():
                raise RefusedError(400, "invalid", "Provided MD5 hash doesn't match calculated MD5 hash.")
            if meta.crc32c is not None and meta.crc32c != made.crc32c:
                raise RefusedError(400, "invalid", "Provided CRC32C doesn't match calculated CRC32C.")
            if name not in objects:
                insort(self._names[bucket], name)
            objects[name] = made
            return made

    def get(self, bucket: str, name: str, conditions: Conditions = NONE, *, generation: str | None = None) -> Stored:
        with self._lock:
            found = self.there(bucket).get(name)
            if found is None or generation not in (None, str(found.generation)):
                raise RefusedError(404, "notFound", f"No such object: {bucket}/{name}")
            conditions.check(found)
            return found

    def delete(self, bucket: str, name: str, conditions: Conditions = NONE) -> None:
        with self._lock:
            self.get(bucket, name, conditions)
            del self._objects[bucket][name]
            names = self._names[bucket]
            del names[bisect_left(names, name)]

    def compose(self, bucket: str, name: str, sources: list[str], meta: Meta, conditions: Conditions) -> Stored:
        with self._lock:
            if not 1 <= len(sources) <= _MAX_COMPOSED:
                raise RefusedError(400, "invalid", f"The number of source components must be 1 to {_MAX_COMPOSED}.")
            data = b"".join(self.get(bucket, each).data for each in sources)
            return self.put(bucket, name, data, meta, conditions, composite=True)

    def page(
        self,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str = "",
        start: str = "",
        end: str = "",
        after: str = "",
        limit: int = PAGE,
    ) -> Page:
        """Return the objects from `start` (inclusive) to `end` (exclusive), and after `after`, in order of name."""
        with self._lock:
            objects, names = self.there(bucket), self._names[bucket]
            first = max(bisect_right(names, after) if after else 0, bisect_left(names, max(start, prefix)))
            items, prefixes, last = list[Stored](), list[str](), ""
            for name in islice(names, first, None):
                if not name.startswith(prefix) or (end and name >= end):
                    break
                shared = _shared(name, prefix, delimiter)
                told = shared and (shared in prefixes or after.startswith(shared))
                if not told and len(items) + len(prefixes) >= min(limit, PAGE):
                    return Page(items, prefixes, last or None)
                if not shared:
                    items.append(objects[name])
                elif not told:
                    prefixes.append(shared)
                last = name
            return Page(items, prefixes, None)


def _shared(name: str, prefix: str, delimiter: str) -> str:
    """Return the start of the name, delimiter included, that stands for it in a listing, or nothing."""
    if not delimiter or delimiter not in name[len(prefix) :]:
        return ""
    return prefix + name[len(prefix) :].split(delimiter, 1)[0] + delimiter


def _check_name(name: str) -> None:
    if not 1 <= len(name.encode()) <= _MAX_NAME_BYTES or name in (".", "..") or "\r" in name or "\n" in name:
        raise RefusedError(400, "invalid", f"Invalid object name: {name[:50]!r}")
