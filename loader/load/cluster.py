"""Shards on a Dask cluster instead of local processes: the same jobs, the same reports.

A worker touches object storage only, so a shard that two workers did is harmless, and one whose worker died is simply
done again by another. `dagster-dask` is not used: its executor loses results of runs that it calls a success.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from loader.core.report import Report, total
from loader.errors import ConfigError, WorkerError
from loader.load.workers import Job, Told, run

_CONNECT_SECONDS = 10
_DEATHS = 3  # of workers with the same shard, before it is the shard's fault


def reports(address: str, jobs: Sequence[Job], tell: Callable[[Told], None]) -> dict[str, Report | None]:
    """Return the report of each job by its key. Twice is the same as once.

    ConfigError without the package; WorkerError where the cluster is not there, or a shard kills its workers.
    """
    try:
        distributed: Any = import_module("distributed")
    except ImportError:
        raise ConfigError('engine = "dask" needs distributed; install it with: pip install distributed') from None
    try:
        client = distributed.Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise WorkerError(f"no Dask scheduler answers at {address}; start one, then run again") from error
    found: dict[str, Report | None] = {}
    with client:
        futures = {client.submit(_work, job, key=job.report_key, retries=_DEATHS, pure=False): job for job in jobs}
        try:
            for future in distributed.as_completed(futures, loop=client.loop):
                report: Report = future.result()
                found[futures[future].report_key] = report
                tell((sum(each.file.size for each in futures[future].shard.inputs), total([report]).events))
        except distributed.KilledWorker as error:
            raise WorkerError(
                f"a shard killed {_DEATHS} workers of the Dask cluster (out of memory?); give them more memory, or "
                "lower `shard_bytes` in [load], then run again: the load continues"
            ) from error
    return found


def _work(job: Job) -> Report:
    return run(job, tell=lambda _: None)
