"""The forward flow in two halves, for a scheduler that shows them apart: files → parts, and parts → rows.

The same loads, states and lease as in `flow`: a load that one of them leaves is continued by any of them. What is
converted stays so: a warehouse that fails afterwards costs no second reading of the files.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial

from loader.config import Config
from loader.core.report import Counts
from loader.core.results import PartitionFacts, Progress, Stage, State, Window
from loader.core.warehouse import Session, Warehouse
from loader.errors import LeaseError, LoaderError
from loader.ledger import facts, loads
from loader.load import retention
from loader.load.edges import Edges, open_edges, warehouse
from loader.load.flow import claimed, merged, shredded_before
from loader.load.leasing import Lease, leased_to
from loader.load.listing import pending
from loader.load.reading import reading
from loader.load.runs import Manifest, Run, has_parts, store_manifest, stored_manifest
from loader.load.samples import bad_input

_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
Work = Callable[[Run], list[Stage]]


def convert(
    config: Config, source: str, *, window: Window, replay: bool, max_rejects: float, progress: Progress
) -> list[Stage]:
    """Turn the window's new files into parts, or with `replay` all of them; return how far each load came.

    Loads of the window that are claimed and not converted come first. One that fails stops no other. Partitions of
    which more than a share `max_rejects` of the events lost something become a load of their own: they hold back no
    others. Called twice, the second call finds nothing to do. LeaseError and WarehouseLockedError name who is in the
    way.
    """
    edges = open_edges(config, source)

    def begin(session: Session, run: Callable[..., Run]) -> list[Run]:
        runs = list(_open(session, edges, window, run, ("planned",)))
        found = pending(edges, session, window, replay=replay)
        return [*runs, *claimed(session, edges, run, found.arrivals, "replay" if replay else "load")]

    return _each(edges, progress, begin, partial(_converted, max_rejects=max_rejects))


def merge(
    config: Config, source: str, *, window: Window, reload: bool, max_rejects: float | None, progress: Progress
) -> list[Stage]:
    """Merge the window's converted loads into the tables; return how far each load came.

    With `reload`, loads that are done are merged again from the parts that are kept: rows that are missing come back,
    those that are there stay. A load with a partition of which more than a share `max_rejects` of the events lost
    something is held back. Called twice, the second call finds nothing to merge. LeaseError and WarehouseLockedError
    name who is in the way.
    """
    edges = open_edges(config, source)
    blocked: set[str] = set()

    def begin(session: Session, run: Callable[..., Run]) -> list[Run]:
        runs = list(_open(session, edges, window, run, ("shredded", "migrated", "loading")))
        ours = {each.load.load_id for each in runs}
        blocked.update(table for load_id, table in facts.blocked_tables(session, source) if load_id not in ours)
        return [*runs, *(_reloads(session, edges, window, run) if reload else ())]

    stages = _each(edges, progress, begin, partial(_merged, blocked=blocked, max_rejects=max_rejects))
    retention.expire(edges, progress, now=datetime.now(UTC))
    return stages


def partition_facts(config: Config, source: str, window: Window) -> list[PartitionFacts]:
    """Return what the ledger knows of each partition of the window that has files, in order."""
    with reading(config) as (_, asked), asked.session() as session:
        return facts.partition_facts(session, source, window.start or _FIRST, window.stop or _LAST)


def accept_damaged(config: Config, source: str, window: Window) -> int:
    """Mark damaged files as known, so that their partitions count as done; return how many. Twice accepts no more."""
    with warehouse(config) as opened, opened.session() as session:
        return facts.accept_damaged(session, source, window.start or _FIRST, window.stop or _LAST)


def _each(
    edges: Edges, progress: Progress, begin: Callable[[Session, Callable[..., Run]], list[Run]], work: Work
) -> list[Stage]:
    """Hold the source; do the work on each load that `begin` returns."""

    def begun(_: Warehouse, session: Session, lease: Lease) -> list[Run]:
        runs = begin(session, partial(Run, edges, lease, progress))
        if not runs:
            lease.give_back(session)
        return runs

    with leased_to(edges, progress, begun) as (_, runs):
        return [stage for run in runs for stage in _guarded(run, work)]


def _guarded(run: Run, work: Work) -> list[Stage]:
    """Do the work; what fails is told, so that the other loads get their turn. Without the lease none does."""
    try:
        return work(run)
    except LeaseError:
        raise
    except LoaderError as error:
        with warehouse(run.edges.config, staging=run.edges.staging) as opened, opened.session() as session:
            state = loads.note_error(session, run.load.load_id, str(error))
        return [Stage(run.load.load_id, state, _partitions(run), error=str(error), transient=error.transient)]


def _open(
    session: Session, edges: Edges, window: Window, run: Callable[..., Run], states: Sequence[State]
) -> Iterator[Run]:
    """Yield the open loads in some states that have files of the window, oldest first."""
    for each in loads.open_loads(session, edges.source):
        if each.state in states:
            load = loads.claimed(session, each.load_id)
            if any(_inside(loads.moment(one.partition_at), window) for one in load.arrivals):
                yield run(load, each.kind, True, time.monotonic())


def _inside(at: datetime, window: Window) -> bool:
    return (window.start is None or at >= window.start) and (window.stop is None or at < window.stop)


def _reloads(session: Session, edges: Edges, window: Window, run: Callable[..., Run]) -> Iterator[Run]:
    """Claim the files of loads that are done once more, with the parts that are there."""
    first, last = window.start or _FIRST, window.stop or _LAST
    for load_id in facts.reloadable(session, edges.source, first, last):
        before = run(loads.claimed(session, load_id), "reload", False, time.monotonic())
        manifest = stored_manifest(before)
        if manifest is None or not has_parts(before, manifest):
            before.progress.note(f"{edges.source}: the parts of load {load_id} are gone: replay its files")
            continue
        for again in claimed(session, edges, run, before.load.arrivals, "reload"):
            if again.load.arrivals == before.load.arrivals:  # its rejects are told by the files' places in the load
                store_manifest(again, manifest)
            yield again


def _converted(run: Run, *, max_rejects: float) -> list[Stage]:
    manifest = shredded_before(run)
    counts = _counts(run, manifest)
    bad = {at for at, each in counts.items() if lost_share(each) > max_rejects}
    if bad and bad < set(_partitions(run)):
        return [stage for each in _apart(run, bad) for stage in _guarded(each, partial(_noted, shred=shredded_before))]
    return _noted(run, lambda _: manifest)


def _apart(run: Run, bad: set[datetime]) -> list[Run]:
    """Give the load up, and claim its files again as two loads: those of some partitions, and the others."""
    edges, prefix = run.edges, run.prefix
    run.progress.note(f"{edges.source}: {len(bad)} partitions have too many rejects and become a load of their own")
    with warehouse(edges.config, staging=edges.staging) as opened, opened.session() as session:
        run.lease.check(session)
        loads.abandon(session, run.load.load_id)
        runs = []
        for chosen in (False, True):
            arrivals = [each for each in run.load.arrivals if (loads.moment(each.partition_at) in bad) is chosen]
            runs += claimed(session, edges, partial(Run, edges, run.lease, run.progress), arrivals, run.kind)
    edges.staging.delete([file.key for file in edges.staging.list(prefix)])
    return runs


def _noted(run: Run, shred: Callable[[Run], Manifest]) -> list[Stage]:
    """Write that a load's files are parts, and what each held."""
    manifest = shred(run)
    with warehouse(run.edges.config, staging=run.edges.staging) as opened, opened.session() as session:
        run.lease.check(session)
        loads.note_counts(session, run.load.load_id, manifest.counts, manifest.bad_files)
        loads.move(session, run.load.load_id, "shredded")
    counts, left_out, lost = _counts(run, manifest), _left_out(run, manifest), bad_input(run, manifest)
    return [Stage(run.load.load_id, "shredded", _partitions(run), counts, left_out, lost)]


def _left_out(run: Run, manifest: Manifest) -> dict[datetime, tuple[str, ...]]:
    found: dict[datetime, tuple[str, ...]] = {}
    for bad in manifest.bad_files:
        arrival = run.load.arrivals[bad.file]
        at = loads.moment(arrival.partition_at)
        found[at] = (*found.get(at, ()), f"{arrival.file.key}: {bad.reason}")
    return found


def _merged(run: Run, *, blocked: set[str], max_rejects: float | None) -> list[Stage]:
    manifest = shredded_before(run)
    counts = _counts(run, manifest)
    if max_rejects is not None and (held := _held(counts, max_rejects)):
        return [Stage(run.load.load_id, "shredded", _partitions(run), counts, error=held)]
    result = merged(run, manifest, blocked)
    error = "" if result.state == "done" else result.problems[-1]
    return [Stage(run.load.load_id, result.state, _partitions(run), counts, result=result, error=error)]


def _held(counts: dict[datetime, Counts], max_rejects: float) -> str:
    for at, each in counts.items():
        if (share := lost_share(each)) > max_rejects:
            return (
                f"held back: {share:.1%} of the events of {at:%Y-%m-%d %H:%M} were quarantined or lost a value, "
                f"allowed are {max_rejects:.1%}; mend the source, or load it as it is with `accept_rejects`"
            )
    return ""


def lost_share(counts: Counts) -> float:
    """Return the share of events that were quarantined or lost a value, at most 1."""
    return min((counts.quarantined + counts.rejects) / counts.events, 1.0) if counts.events else 0.0


def _partitions(run: Run) -> tuple[datetime, ...]:
    return tuple(sorted({loads.moment(each.partition_at) for each in run.load.arrivals}))


def _counts(run: Run, manifest: Manifest) -> dict[datetime, Counts]:
    found: dict[datetime, Counts] = {}
    for ordinal, each in sorted(manifest.counts.items()):
        at = loads.moment(run.load.arrivals[ordinal].partition_at)
        found[at] = found.get(at, Counts()).plus(each)
    return found
