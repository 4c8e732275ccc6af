"""Shards in a pool of local processes. A worker touches object storage only; what it writes can be written twice."""

import hashlib
import multiprocessing
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import msgspec
import pyarrow as pa

from loader.config import Access
from loader.core.objects import File, Store, load_bytes
from loader.core.report import Report, total
from loader.core.results import Progress
from loader.core.shred import Shard, shred
from loader.errors import WorkerError
from loader.load.edges import Edges
from loader.storage import connect
from loader.storage.ahead import reading_ahead

_AHEAD = 16  # what part of a worker's memory may hold small files that are fetched before their turn
Told = tuple[int, int]  # bytes read, and events found in them
Done = SimpleQueue[Told | None]
_done: list[Done] = []  # of this worker process: where it tells what it has done


@dataclass(frozen=True, slots=True)
class Job:
    """A shard, and where its files and parts are."""

    shard: Shard
    report_key: str
    events_url: str
    events_access: Access | None
    staging_url: str
    staging_access: Access | None


def job(edges: Edges, shard: Shard, *, turn: str) -> Job:
    """Return the job of a shard. Its report's key changes with all that the report depends on."""
    digest = hashlib.sha256(repr((shard.inputs, shard.policy, shard.known, sorted(shard.only))).encode()).hexdigest()
    return Job(
        shard,
        f"{shard.prefix}_reports/{turn}-{shard.index:05}-{digest[:12]}.json",
        edges.events.url,
        edges.settings.access,
        edges.staging.url,
        edges.config.staging.access,
    )


def reports(edges: Edges, jobs: Sequence[Job], progress: Progress) -> list[Report]:
    """Return the report of each job, in order; those that are in staging already are not made again.

    WorkerError if a worker died (killed, or out of memory): the finished shards stay, the next run goes on.
    """
    found = {each.report_key: _stored(edges.staging, each.report_key) for each in jobs}
    missing = [each for each in jobs if found[each.report_key] is None]
    address = edges.config.load.dask if edges.config.load.engine == "dask" else None
    if missing and address is not None:
        from loader.load import cluster  # needs a package of its own

        found |= cluster.reports(address, missing, partial(_advance, progress))
    elif len(missing) == 1 or edges.workers == 1:
        for each in missing:
            found[each.report_key] = run(each, tell=partial(_advance, progress))
    elif missing:
        found |= _pooled(missing, min(edges.workers, len(missing)), progress)
    return [report for each in jobs if (report := found[each.report_key]) is not None]


def run(each: Job, *, tell: Callable[[Told], None]) -> Report:
    """Shred one shard and store its report, last. Twice writes the same again."""
    events = connect(each.events_url, access=each.events_access, base=Path("/"))
    staging = connect(each.staging_url, access=each.staging_access, base=Path("/"))

    def write(key: str, data: pa.Buffer) -> None:
        staging.write(key, memoryview(data))

    files = [one.file for one in each.shard.inputs]
    with reading_ahead(events, files, max_bytes=each.shard.memory_bytes // _AHEAD) as ahead:

        def read(file: File) -> Iterator[bytes]:
            for chunk in ahead(file):
                yield chunk
                tell((len(chunk), 0))

        report = shred(each.shard, read, write)
    staging.write(each.report_key, msgspec.json.encode(report))
    tell((0, total([report]).events))
    return report


def _pooled(jobs: Sequence[Job], workers: int, progress: Progress) -> dict[str, Report | None]:
    # A fork server: workers share the imported libraries' memory, and no thread of ours is ever forked.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["loader.load.workers"])
    found: dict[str, Report | None] = {}
    with _listening(context.SimpleQueue(), progress) as queue:
        try:
            with ProcessPoolExecutor(workers, context, _begin, (queue,)) as pool:
                waiting = {pool.submit(_work, each): each for each in jobs}
                for future in as_completed(waiting):
                    found[waiting[future].report_key] = future.result()
        except BrokenProcessPool as error:
            raise WorkerError(
                "a worker process died (killed, or out of memory); run again: the load continues. "
                "If it happens again, lower `memory` or `workers` in [load]"
            ) from error
    return found


@contextmanager
def _listening(queue: Done, progress: Progress) -> Iterator[Done]:
    def listen() -> None:
        while (told := queue.get()) is not None:
            _advance(progress, told)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield queue
    finally:
        queue.put(None)
        listener.join()


def _begin(queue: Done) -> None:
    _done.append(queue)


def _work(each: Job) -> Report:
    return run(each, tell=_done[0].put)


def _advance(progress: Progress, told: Told) -> None:
    stored_bytes, events = told
    progress.advance(stored_bytes, events=events)


def _stored(staging: Store, key: str) -> Report | None:
    data = load_bytes(staging, key)
    return None if data is None else msgspec.json.decode(data, type=Report)
