"""Small objects of a bucket, fetched before they are asked for: a request takes longer than the bytes do.

Several requests are under way at once, and what waits to be read is bounded in bytes and in number. Objects of more
than one chunk come as they are read: there the requests are few for the bytes.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from loader.core.objects import CHUNK_BYTES, File, Store

REQUESTS = 16


@contextmanager
def reading_ahead(
    store: Store, files: Sequence[File], *, max_bytes: int, requests: int = REQUESTS
) -> Iterator[Callable[[File], Iterator[bytes]]]:
    """Yield a function that reads as `store.read` does, best asked for `files` in their order, by one thread.

    Fetches at most `max_bytes` ahead, but always one object. A folder is read as it is: nothing is to be waited for.
    """
    if "://" not in store.url:
        yield store.read
        return
    with ThreadPoolExecutor(requests) as pool:
        ahead = _Ahead(store, files, pool, max_bytes, requests)
        try:
            yield ahead.read
        finally:
            pool.shutdown(cancel_futures=True)


class _Ahead:
    """What is on its way, by place in the list of files."""

    def __init__(
        self, store: Store, files: Sequence[File], pool: ThreadPoolExecutor, max_bytes: int, requests: int
    ) -> None:
        self._store, self._files, self._pool = store, files, pool
        self._max_bytes, self._requests = max_bytes, requests
        self._places = {file: place for place, file in enumerate(files)}
        self._coming: dict[int, Future[list[bytes]]] = {}

    def read(self, file: File) -> Iterator[bytes]:
        """Yield the bytes. Errors are those of the store, and come here, whenever they happened."""
        place = self._places.get(file)
        if place is None or file.size > CHUNK_BYTES:
            yield from self._store.read(file)
            return
        self._fetch(place)
        yield from self._coming.pop(place).result()

    def _fetch(self, place: int) -> None:
        """Begin to fetch the object at this place, and those after it, as far as there is room."""
        room = self._max_bytes - sum(self._files[each].size for each in self._coming)
        for each in range(place, len(self._files)):
            size = self._files[each].size
            if each in self._coming or size > CHUNK_BYTES:
                continue
            if each != place and (len(self._coming) >= self._requests or size > room):
                return
            self._coming[each] = self._pool.submit(self._whole, self._files[each])
            room -= size

    def _whole(self, file: File) -> list[bytes]:
        return list(self._store.read(file))
