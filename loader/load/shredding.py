"""A load's files → parts in staging and a manifest."""

from dataclasses import replace

from loader.core.plan import shards
from loader.core.policy import Known, digest
from loader.core.schema import Tables
from loader.core.settling import replaced, settle
from loader.core.shred import Input, Shard
from loader.load import workers
from loader.load.runs import Manifest, Run, manifest, store_manifest

_MIN_SHARD_BYTES = 1 << 20  # as stored: less is not worth another process
_INTERPRETER_BYTES = 112 << 20  # of a worker, beside its data
_MIN_MEMORY_BYTES = 48 << 20


def shredded(run: Run, known: Tables, before: Manifest | None = None) -> Manifest:
    """Shred the load's files and write the manifest, last. Shards that are done already are not done again.

    `before`: a manifest that is there, and that the tables do not take any more.
    """
    edges = run.edges
    run.progress.step(
        f"{edges.source}: reading {len(run.load.arrivals)} files", total=run.load.stored_bytes, unit="bytes"
    )
    first = _shards(run, Known(known))
    reports = workers.reports(edges, [workers.job(edges, each, turn="first") for each in first], run.progress)
    settled = settle(known, reports, max_columns=edges.policy.max_columns, respells=edges.policy.respells)
    second = [
        replace(each, known=settled.known, only=settled.again[each.index], prefix=f"{run.prefix}again/")
        for each in first
        if each.index in settled.again
    ]
    if second:
        files = [each.file for shard in second for each in shard.inputs]
        stored_bytes = sum(file.size for file in files)
        run.progress.step(f"{edges.source}: reading {len(files)} files again", total=stored_bytes, unit="bytes")
    again = workers.reports(edges, [workers.job(edges, each, turn="again") for each in second], run.progress)
    for shard, report in zip(second, again, strict=True):
        reports[shard.index] = replaced(reports[shard.index], report, shard.only)
    found = manifest(reports, dict(settled.again), again, policy=digest(edges.policy))
    store_manifest(run, found, before=before)
    return found


def _shards(run: Run, known: Known) -> list[Shard]:
    edges, arrivals = run.edges, run.load.arrivals
    sizes = [each.file.size for each in arrivals]
    limit = edges.config.load.shard_bytes
    chosen = shards(sizes, workers=edges.workers, max_bytes=limit, min_bytes=_MIN_SHARD_BYTES)
    count = workers.at_once(edges, len(chosen))
    interpreters = 1 if workers.in_threads(edges, count) else count
    memory = (edges.config.load.memory - interpreters * _INTERPRETER_BYTES) // count
    # A part in a folder is read from there within minutes; what is kept, or goes over a network, is worth packing.
    packed = "://" in edges.staging.url or edges.config.staging.keep_days > 0
    return [
        Shard(
            index,
            tuple(Input(ordinal, arrivals[ordinal].file, arrivals[ordinal].partition_at) for ordinal in ordinals),
            run.prefix,
            edges.policy,
            known,
            max(memory, _MIN_MEMORY_BYTES),
            packed=packed,
        )
        for index, ordinals in enumerate(chosen)
    ]
