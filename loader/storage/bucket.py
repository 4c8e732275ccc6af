"""A bucket, or a prefix of one, as a store: s3:// through obstore.

An object is read in ranges that each demand the listed etag: a rewrite is noticed whenever it happens, and a slow
reader never meets obstore's limit of 30 seconds per request. A big object is written as a multipart upload; one that
is cut off leaves nothing to see, but parts to pay for: give the bucket a lifecycle rule that aborts such uploads.
Keys that obstore cannot name (an empty part, `.` or `..`, a control character) end the listing with StorageError.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import S3Store

from loader.config import Access
from loader.core.objects import CHUNK_BYTES, File
from loader.errors import AccessError, ConfigError, ObjectChangedError, StorageError
from loader.storage.credentials import options

if TYPE_CHECKING:
    from obstore import ObjectMeta

_PAGE = 1000  # keys of one list or delete request
_UPLOADS = 4  # parts under way at once, CHUNK_BYTES each
_URL = re.compile(r"s3://(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]{1,62})(?:/(?P<prefix>.*?)/*)?")
_UNNAMEABLE = re.compile(r"//|[\x00-\x1f\x7f]|(?:^|/)\.{1,2}(?:/|$)|^/|/$")
# S3's error codes, and obstore's own words where it never got as far (docs.aws.amazon.com API/ErrorResponses.html).
_DENIED = re.compile(
    r"AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|TokenRefreshRequired"
    r"|40[13] (?:Forbidden|Unauthorized)|169\.254\.|security-credentials|AssumeRole"
)
_REGION = re.compile(r"PermanentRedirect|AuthorizationHeaderMalformed|configured region|IllegalLocationConstraint")

_Bytes = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Bucket:
    """The objects of a bucket below a prefix. Pickled without its connection: unpickling opens another."""

    url: str
    access: Access | None
    _client: S3Store = field(repr=False, compare=False)
    _prefix: str  # "" or with a trailing slash

    @classmethod
    def open(cls, url: str, access: Access | None) -> "Bucket":
        """Return the store at s3://bucket/prefix. Makes no request; finds credentials, perhaps through boto3.

        Raises ConfigError for a url without a bucket, and for a profile that boto3 does not know.
        """
        parts = _URL.fullmatch(url)
        prefix = (parts["prefix"] or "") if parts else ""
        if parts is None or _UNNAMEABLE.search(prefix):
            raise ConfigError(f"{_shown(url)} is no url of a bucket; write s3://bucket or s3://bucket/prefix")
        _one_process(url)
        client = S3Store(parts["bucket"], **options(parts["bucket"], access))
        return cls(url.rstrip("/"), access, client, prefix and f"{prefix}/")

    def __reduce__(self) -> tuple[object, ...]:
        return Bucket.open, (self.url, self.access)

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[File]:
        """Yield the objects in the order of S3, which is by code point. One request per thousand keys.

        Left out are the empty objects with a `/` at the end of the key that some tools make to show folders.
        """
        folder = self._prefix + prefix[: prefix.rfind("/") + 1]
        start = max(_bound(self._prefix + after) if after else "", _just_below(self._prefix + prefix))
        with self._translated(prefix):
            pages = obstore.list(self._client, folder or None, offset=start or None, chunk_size=_PAGE)
            for meta in (meta for page in pages for meta in page if meta["path"].startswith(self._prefix)):
                key = meta["path"].removeprefix(self._prefix)
                if key > after and key.startswith(prefix):
                    if meta["size"] or self._exists(meta):
                        after = key  # obstore drops a `/` at the end, so a mark could pass for an object again
                        yield self._file(key, meta)
                elif key > prefix and key > after:
                    return

    def read(self, file: File) -> Iterator[bytes]:
        """Yield the bytes, one request per chunk, each on the condition that the etag is the listed one."""
        with self._translated(file.key):
            if not file.size:
                self._chunk(file, None)
            for start in range(0, file.size, CHUNK_BYTES):
                yield self._chunk(file, (start, min(start + CHUNK_BYTES, file.size)))

    def write(self, key: str, data: _Bytes) -> None:
        """Put the object; above CHUNK_BYTES as a multipart upload."""
        with self._translated(key):
            obstore.put(self._client, self._path(key), _octets(data), chunk_size=CHUNK_BYTES, max_concurrency=_UPLOADS)

    def create(self, key: str, data: _Bytes) -> bool:
        """Put the object in one request, on the condition that there is none."""
        with self._translated(key):
            try:
                obstore.put(self._client, self._path(key), _octets(data), mode="create")
            except AlreadyExistsError:
                return False
        return True

    def delete(self, keys: Iterable[str]) -> None:
        """Remove the objects, one request per thousand."""
        paths = map(self._path, keys)
        while page := tuple(islice(paths, _PAGE)):
            with self._translated(""):
                obstore.delete(self._client, page)

    def _path(self, key: str) -> str:
        if not key or _UNNAMEABLE.search(key):
            raise StorageError(
                f"{self.url}: key {key!r} cannot be used; no part may be empty, `.` or `..`, or hold control characters"
            )
        return self._prefix + key

    def _file(self, key: str, meta: "ObjectMeta") -> File:
        etag = meta["e_tag"]
        if not etag:
            raise StorageError(f"{self.url}/{key} has no etag, so a rewrite would go unnoticed; use another service")
        return File(key, etag, meta["size"], meta["last_modified"])

    def _exists(self, meta: "ObjectMeta") -> bool:
        try:
            return obstore.head(self._client, meta["path"])["e_tag"] == meta["e_tag"]
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise
            return False

    def _chunk(self, file: File, span: tuple[int, int] | None) -> bytes:
        condition: obstore.GetOptions = {"if_match": file.version}
        if span is not None:  # an empty range is an error, so an empty object is read without one
            condition["range"] = span
        try:
            chunk = obstore.get(self._client, self._path(file.key), options=condition).bytes().to_bytes()
        except (PreconditionError, FileNotFoundError) as error:
            if "NoSuchBucket" in str(error):
                raise
            raise ObjectChangedError(
                f"{self.url}/{file.key} was rewritten or deleted since it was listed; run again to load what is there"
            ) from error
        if span is not None and len(chunk) != span[1] - span[0]:
            raise StorageError(f"{self.url}/{file.key}: {len(chunk)} bytes arrived instead of {span[1] - span[0]}")
        return chunk

    @contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        _one_process(self.url)
        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            raise _translation(f"{self.url}/{key}" if key else self.url, error) from None


def _octets(data: _Bytes) -> memoryview:
    # Arrow says of its buffers that they hold signed numbers, and obstore takes no such memory (0.12.1).
    return memoryview(data).cast("B")


def _translation(thing: str, error: Exception) -> StorageError:
    """Return our error for one of obstore's, whose text goes no further than its first line and S3's code.

    The rest is the service's answer, which can name the access key, and obstore's settings.
    """
    text = str(error)
    first = re.split(r"\n|: <\?xml|: <Error|\{", text, maxsplit=1)[0].strip()
    code = re.search(r"<Code>(\w+)</Code>", text)
    found = f"{first} ({code[1]})" if code else first
    if "NoSuchBucket" in text:
        return StorageError(f"{thing}: the bucket does not exist; create it, or correct the url in loader.toml")
    if _DENIED.search(text):
        return AccessError(
            f"{thing}: not permitted: {found}; check the credentials (`access` or AWS_*) and their policy"
        )
    if _REGION.search(text):
        return StorageError(
            f"{thing}: the bucket is in another region: {found}; set `region` in `access` or AWS_REGION"
        )
    return StorageError(f"{thing}: {found}")


def _bound(path: str) -> str:
    """Return the longest start of the path that obstore can name: it sorts no later than the path."""
    found = _UNNAMEABLE.search(path)
    return path[: found.start()] if found else path


def _just_below(prefix: str) -> str:
    """Return a path that sorts before all that start with the prefix, and after most that sort before those."""
    start, last = prefix[:-1], prefix[-1:]
    if not last or last == "/" or start.endswith("/") or not start:
        return ""
    return start + chr(ord(last) - 1) + "~~~" if last.isascii() and last.isalnum() else start


def _shown(url: str) -> str:
    return "an s3:// url with `@`" if "@" in url else repr(url)  # what stands before an @ may be a secret


def _one_process(url: str) -> None:
    """Raise StorageError in a forked process: obstore's threads are not there, and it would wait for ever."""
    if _first_process() != os.getpid():
        raise StorageError(f"{url}: this process was forked off one that had a bucket open; start workers by `spawn`")


@cache
def _first_process() -> int:
    return os.getpid()
