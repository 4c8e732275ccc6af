"""Shards at work side by side. A worker touches object storage only; what it writes can be written twice.

Few workers are threads of this process: nine tenths of their time they are in compiled code that needs no interpreter,
and a process costs half a second and 100 MB before it reads its first line. Many would wait for the interpreter, and
without the compiled scanner even two would, so these are processes.
"""

import hashlib
import multiprocessing
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
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
from loader.core.report import Report, intact, total
from loader.core.results import Progress
from loader.core.scanning import COMPILED
from loader.core.shred import Shard, shred
from loader.errors import WorkerError
from loader.load.edges import Edges
from loader.storage import connect
from loader.storage.ahead import reading_ahead

MAX_THREADS = 4
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


def at_once(edges: Edges, count: int) -> int:
    """Return how many of so many shards are at work at the same time."""
    return max(min(edges.workers, count), 1)


def in_threads(edges: Edges, workers: int) -> bool:
    """Return whether so many workers are threads of this process."""
    return workers == 1 or (COMPILED and workers <= MAX_THREADS and edges.config.load.engine == "local")


def reports(edges: Edges, jobs: Sequence[Job], progress: Progress) -> list[Report]:
    """Return the report of each job, in order; those that are in staging already are not made again.

    WorkerError if a worker died (killed, or out of memory): the finished shards stay, the next run goes on.
    """
    found = _stored(edges.staging, jobs)
    missing = [each for each in jobs if found[each.report_key] is None]
    address = edges.config.load.dask if edges.config.load.engine == "dask" else None
    if missing and address is not None:
        from loader.load import cluster  # needs a package of its own

        found |= cluster.reports(address, missing, partial(_advance, progress))
    elif missing:
        workers = at_once(edges, len(missing))
        found |= (_threaded if in_threads(edges, workers) else _pooled)(missing, workers, progress)
    return [report for each in jobs if (report := found[each.report_key]) is not None]


def run(each: Job, *, tell: Callable[[Told], None]) -> Report:
    """Shred one shard and store its report, last. Twice writes the same again."""
    events = connect(each.events_url, access=each.events_access, base=Path("/"))
    staging = connect(each.staging_url, access=each.staging_access, base=Path("/"))

    def write(key: str, data: pa.Buffer) -> None:
        staging.write(key, memoryview(data), lasting=False)

    files = [one.file for one in each.shard.inputs]
    with reading_ahead(events, files, max_bytes=each.shard.memory_bytes // _AHEAD) as ahead:

        def read(file: File) -> Iterator[bytes]:
            for chunk in ahead(file):
                yield chunk
                tell((len(chunk), 0))

        report = shred(each.shard, read, write)
    staging.write(each.report_key, msgspec.json.encode(report), lasting=False)
    tell((0, total([report]).events))
    return report


def _threaded(jobs: Sequence[Job], workers: int, progress: Progress) -> dict[str, Report | None]:
    lock, over = threading.Lock(), threading.Event()

    def tell(told: Told) -> None:
        if over.is_set():
            raise WorkerError("another worker failed, or the load was interrupted")  # which is what the user is told
        with lock:
            _advance(progress, told)

    with ThreadPoolExecutor(workers, "worker") as pool:
        return _gathered({pool.submit(run, each, tell=tell): each for each in jobs}, over)


def _gathered(waiting: Mapping[Future[Report], Job], over: threading.Event) -> dict[str, Report | None]:
    """Return what each job found, by its report's key. After an error no job begins that did not begin before."""
    try:
        return {waiting[each].report_key: each.result() for each in as_completed(waiting)}
    except BaseException:
        over.set()
        for each in waiting:
            each.cancel()
        raise


def _pooled(jobs: Sequence[Job], workers: int, progress: Progress) -> dict[str, Report | None]:
    # A fork server: workers share the imported libraries' memory, and no thread of ours is ever forked.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["loader.load.workers"])
    with _listening(context.SimpleQueue(), progress) as queue:
        try:
            with ProcessPoolExecutor(workers, context, _begin, (queue,)) as pool:
                return _gathered({pool.submit(_work, each): each for each in jobs}, threading.Event())
        except BrokenProcessPool as error:
            raise WorkerError(
                "a worker process died (killed, or out of memory); run again: the load continues. "
                "If it happens again, lower `memory` or `workers` in [load]"
            ) from error


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


def _stored(staging: Store, jobs: Sequence[Job]) -> dict[str, Report | None]:
    """Return the reports that an earlier run wrote, by their keys: those that are still whole, with all their parts."""
    prefixes = {each.shard.prefix for each in jobs}
    sizes = {file.key: file.size for prefix in prefixes for file in staging.list(prefix)}
    found: dict[str, Report | None] = {}
    for each in jobs:
        report = _read(staging, each.report_key) if sizes.get(each.report_key) else None
        parts_too = report and intact(report.tables, (*report.rejects, *report.quarantine), sizes)
        found[each.report_key] = report if parts_too else None
    return found


def _read(staging: Store, key: str) -> Report | None:
    """Return a report; None where it is gone, or a power failure cut it short."""
    try:
        return msgspec.json.decode(load_bytes(staging, key) or b"", type=Report)
    except msgspec.DecodeError:
        return None
