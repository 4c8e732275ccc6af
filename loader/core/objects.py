"""Objects in a store: what a listing says of one, and what a store must do.

Keys use `/` and are relative to the store's url. A version is opaque: two readings with the same version
have the same bytes, and nothing else may be concluded from it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from loader.errors import ObjectChangedError

CHUNK_BYTES = 8 * 1024 * 1024  # the most one chunk of `Store.read` holds
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class File:
    """One version of one object, as a listing showed it."""

    key: str  # relative to the store, `/` between its parts
    version: str  # etag, generation, or for a folder what changes when the file is rewritten
    size: int  # bytes as stored, before any decompression
    modified_at: datetime  # aware, UTC; the store's clock


class Store(Protocol):
    """Objects by key. Picklable: a worker process opens its own connection. Calls raise StorageError."""

    @property
    def url(self) -> str:
        """Where the objects are: an absolute folder or s3://bucket/prefix; never with a secret."""

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[File]:
        """Yield the objects whose key starts with `prefix` and sorts after `after`, by code point.

        Streams: holds a page of a bucket, or one level of a folder per depth. An object written meanwhile may or
        may not appear.
        """

    def read(self, file: File) -> Iterator[bytes]:
        """Yield the bytes of this version, in chunks of at most CHUNK_BYTES; none of an empty object.

        Raises ObjectChangedError, possibly after some chunks, when the object is gone or has another version.
        """

    def write(self, key: str, data: bytes | bytearray | memoryview, *, lasting: bool = True) -> None:
        """Put the object there at once and whole, replacing any. Twice is the same as once.

        Lasting, it is there even if the power fails after the call; otherwise it may be gone or shorter then, which
        its reader must notice. That is cheaper in a folder, and no different in a bucket.
        """

    def create(self, key: str, data: bytes | bytearray | memoryview) -> bool:
        """Put the object there at once and whole, unless one exists; return whether this call did.

        Of any number of simultaneous calls one returns True. A second call returns False and changes nothing;
        so does one whose first answer was lost: compare the content where that matters.
        """

    def delete(self, keys: Iterable[str]) -> None:
        """Remove the objects. A missing one is fine, so twice is the same as once."""


def find(store: Store, key: str) -> File | None:
    """Return the object of that very key, or None where there is none."""
    # A key sorts before every longer key that starts with it, so the first of the listing is it, or nothing is.
    file = next(store.list(key), None)
    return file if file is not None and file.key == key else None


def load_bytes(store: Store, key: str) -> bytes | None:
    """Return the whole of a small object, or None where there is none. One rewritten meanwhile is read anew."""
    for attempt in range(_ATTEMPTS):
        file = find(store, key)
        if file is None:
            return None
        try:
            return b"".join(store.read(file))
        except ObjectChangedError:
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")
