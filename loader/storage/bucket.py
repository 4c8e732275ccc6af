"""A bucket, or a prefix of one, as a store: s3:// and gs:// through obstore.

An object is read in ranges that each demand the listed etag: a rewrite is noticed whenever it happens, and a slow
reader never meets obstore's limit of 30 seconds per request. A big object is written as a multipart upload; one that
is cut off leaves nothing to see, but parts to pay for: give the bucket a lifecycle rule that aborts such uploads.
Keys that obstore cannot name are listed and read by another client (`odd_keys`); we write none.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from itertools import islice
from threading import Event
from typing import TypeVar

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    InvalidPathError,
    PreconditionError,
)
from obstore.store import S3Store

from loader.config import Access
from loader.core.objects import CHUNK_BYTES, File, load_bytes
from loader.errors import ConfigError, LoaderError, ObjectChangedError, StorageError
from loader.storage.clients import Client, check_process, check_service, clients
from loader.storage.naming import UNNAMEABLE, bound, just_below, unnameable
from loader.storage.odd_keys import PAGE, OddKeys, second_client
from loader.storage.refusals import CONFLICT, Patience, shown, translation

T = TypeVar("T")
_UPLOADS = 4  # parts under way at once, CHUNK_BYTES each
_REMOVALS = 16  # requests under way at once, where each removes one object
_URL = re.compile(r"(?P<scheme>s3|gs)://(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]{1,221})(?:/(?P<prefix>.*?)/*)?")
_FAILURES = (BaseError, OSError, ValueError)  # all that obstore raises

_Bytes = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Bucket:
    """The objects of a bucket below a prefix. Pickled without its connections: unpickling opens others."""

    url: str
    access: Access | None
    _client: Client = field(repr=False, compare=False)
    _reader: Client = field(repr=False, compare=False)
    _odd: Callable[[], OddKeys] = field(repr=False, compare=False)
    _speaks: Callable[[], None] = field(repr=False, compare=False)  # raises unless it is a service of this kind
    _met: Event = field(repr=False, compare=False)  # set once the service has answered
    _prefix: str  # "" or with a trailing slash

    @classmethod
    def open(cls, url: str, access: Access | None) -> "Bucket":
        """Return the store at s3://bucket/prefix or gs://bucket/prefix. Makes no request; finds credentials.

        Raises ConfigError for a url without a bucket, and for credentials that are no such.
        """
        parts = _URL.fullmatch(url)
        prefix = (parts["prefix"] or "") if parts else ""
        if parts is None or UNNAMEABLE.search(prefix):
            raise ConfigError(f"{_safe(url)} is no url of a bucket; write s3://bucket/prefix or gs://bucket/prefix")
        check_process(url)
        client, reader = clients(parts["scheme"], parts["bucket"], access)
        odd = cache(partial(second_client, url, parts["bucket"], access))
        speaks = cache(partial(check_service, url, client))
        return cls(
            url.rstrip("/"),
            access,
            client,
            reader,
            odd,
            speaks,
            _answered(url, access and access.endpoint),
            prefix and f"{prefix}/",
        )

    def __reduce__(self) -> tuple[object, ...]:
        return Bucket.open, (self.url, self.access)

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[File]:
        """Yield the objects in the order of the services, which is by code point. One request per thousand keys.

        Left out are the empty objects with a `/` at the end of the key that some tools make to show folders.
        """
        patience, odd = Patience(self._met), unnameable(self._prefix + prefix)
        while True:
            try:
                if not odd:
                    for place, file in self._named(prefix, after):
                        after = place
                        patience.succeeded()
                        yield file
                    return
            except InvalidPathError:
                odd = True
            except _FAILURES as error:
                if not patience.wait(error):
                    raise translation(self._thing(prefix), error) from None
            if odd:
                page = self._odd().page(self._prefix + prefix, self._prefix + after if after else "")
                for each in page:
                    after = each.key.removeprefix(self._prefix)
                    if each.size or not after.endswith("/"):
                        key = after if unnameable(after) else after.removesuffix("/")  # as obstore names it
                        yield File(key, each.etag, each.size, each.modified_at)
                if len(page) < PAGE:
                    return
                odd = unnameable(self._prefix + prefix)

    def read(self, file: File) -> Iterator[bytes]:
        """Yield the bytes, one request per chunk, each on the condition that the etag is the listed one."""
        if not file.size:
            self._chunk(file, None)
        for start in range(0, file.size, CHUNK_BYTES):
            yield self._chunk(file, (start, min(start + CHUNK_BYTES, file.size)))

    def write(self, key: str, data: _Bytes, *, lasting: bool = True) -> None:  # noqa: ARG002 - it always lasts
        """Put the object; above CHUNK_BYTES as a multipart upload."""
        path, octets = self._path(key), _octets(data)
        put = partial(obstore.put, self._client, path, octets, chunk_size=CHUNK_BYTES, max_concurrency=_UPLOADS)
        self._done(key, put)

    def create(self, key: str, data: _Bytes) -> bool:
        """Put the object in one request, on the condition that there is none.

        Where an answer was lost and the object is there after all, its content tells whether this call made it.
        """
        path, octets, tries = self._path(key), _octets(data), [0]

        def put() -> bool:
            tries[0] += 1
            try:
                obstore.put(self._client, path, octets, mode="create")
            except AlreadyExistsError as error:
                conflict = CONFLICT in str(error)  # of two at once, it may be that neither was done
                found = load_bytes(self, key) if conflict or tries[0] > 1 else None
                if conflict and found is None:
                    raise
                return tries[0] > 1 and found == bytes(octets)
            return True

        return self._done(key, put)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove the objects, one request per thousand on S3, one each on GCS."""
        paths = map(self._path, keys)
        while page := tuple(islice(paths, PAGE)):
            if isinstance(self._client, S3Store):
                self._done("", partial(obstore.delete, self._client, page))
            else:
                with ThreadPoolExecutor(min(_REMOVALS, len(page))) as pool:
                    list(pool.map(self._removed, page))

    def _removed(self, path: str) -> None:
        def remove() -> None:
            try:
                obstore.delete(self._client, path)
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):
                    raise

        self._done("", remove)

    def _named(self, prefix: str, after: str) -> Iterator[tuple[str, File]]:
        """Yield the objects as `list` does, and where each stands in the order, which is its key but for a `/`.

        Raises InvalidPathError at the page with a key that obstore cannot name.
        """
        check_process(self.url)
        folder = self._prefix + prefix[: prefix.rfind("/") + 1]
        start = max(bound(self._prefix + after) if after else "", just_below(self._prefix + prefix))
        pages = obstore.list(self._client, folder or None, offset=start or None, chunk_size=PAGE)
        last = ""
        for meta in (meta for page in pages for meta in page if meta["path"].startswith(self._prefix)):
            key = meta["path"].removeprefix(self._prefix)
            if not meta["size"] and (key <= last or not self._exists(meta["path"], meta["e_tag"])):
                continue  # the mark of a folder
            last = self._place(key, last)
            if last > after and key.startswith(prefix):
                yield last, self._file(key, meta["e_tag"], meta["size"], meta["last_modified"])
            elif key > prefix and key > after:
                return
        if not last:
            self._speaks()

    def _place(self, key: str, last: str) -> str:
        """Return where an object stands that is listed after the last one. StorageError where the order is another."""
        place = key if key > last else f"{key}/"  # obstore drops a `/` at the end
        if place <= last:
            raise StorageError(
                f"{self._thing(key)} is listed after {last!r}, so a listing that goes on there would miss it; the "
                "service must list keys in the order of their bytes, as S3 does: rename these, or use another service"
            )
        return place

    def _file(self, key: str, etag: str | None, size: int, modified_at: datetime) -> File:
        if not etag:
            raise StorageError(f"{self._thing(key)} has no etag, so a rewrite would go unnoticed; use another service")
        return File(key, etag, size, modified_at)

    def _exists(self, path: str, etag: str | None) -> bool:
        try:
            return obstore.head(self._client, path)["e_tag"] == etag
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise
            return False

    def _chunk(self, file: File, span: tuple[int, int] | None) -> bytes:
        path = self._prefix + file.key
        if unnameable(path) or path.endswith("/"):
            chunk = self._odd().chunk(path, file.version, span)
        else:
            chunk = self._done(file.key, partial(self._got, path, file, span))
        if span is not None and len(chunk) != span[1] - span[0]:
            raise StorageError(f"{self._thing(file.key)}: {len(chunk)} bytes arrived instead of {span[1] - span[0]}")
        return chunk

    def _got(self, path: str, file: File, span: tuple[int, int] | None) -> bytes:
        condition: obstore.GetOptions = {"if_match": file.version}
        if span is not None:  # an empty range is an error, so an empty object is read without one
            condition["range"] = span
        try:
            return obstore.get(self._reader, path, options=condition).bytes().to_bytes()
        except (PreconditionError, FileNotFoundError) as error:
            if "NoSuchBucket" in str(error):
                raise
            with suppress(
                LoaderError
            ):  # obstore drops a `/` at the end of a key, so this may be the object that has one
                return self._odd().chunk(f"{path}/", file.version, span)
            raise ObjectChangedError(
                f"{self._thing(file.key)} was rewritten or deleted since it was listed; run again to load what is there"
            ) from error

    def _done(self, key: str, call: Callable[[], T]) -> T:
        """Return what the call returns, made again where it failed by accident; its errors as ours."""
        check_process(self.url)
        patience = Patience(self._met)
        while True:
            try:
                found = call()
            except _FAILURES as error:
                if not patience.wait(error):
                    raise translation(self._thing(key), error) from None
            else:
                patience.succeeded()
                return found

    def _thing(self, key: str) -> str:
        return f"{self.url}/{shown(key)}" if key else self.url

    def _path(self, key: str) -> str:
        if not key or UNNAMEABLE.search(key):
            raise StorageError(
                f"{self.url}: key {key!r} cannot be used; no part may be empty, `.` or `..`, or hold control characters"
            )
        return self._prefix + key


@cache
def _answered(url: str, endpoint: str | None) -> Event:  # noqa: ARG001 - one for each
    """Return what is set once the service has answered anybody in this process: each thread opens a store anew."""
    return Event()


def _octets(data: _Bytes) -> memoryview:
    # Arrow says of its buffers that they hold signed numbers, and obstore takes no such memory (0.12.1).
    return memoryview(data).cast("B")


def _safe(url: str) -> str:
    return "a url with `@`" if "@" in url else repr(url)  # what stands before an @ may be a secret
