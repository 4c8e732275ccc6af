"""The forward flow: event files become rows, exactly once.

    claim → shred → migrate → merge → finish

Each step writes what it did before the next begins, and can be repeated: a load killed at any instant is
found by the next run in the state it had reached, and goes on from there.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from threading import Event

from loader.config import Config
from loader.core.plan import Arrival, loads
from loader.core.policy import digest
from loader.core.report import Part
from loader.core.results import LoadResult, Progress, State, TableResult, Window
from loader.core.schema import Tables
from loader.core.settling import fits
from loader.core.spec import TRACKS
from loader.core.staging import NOTES, Delivery, Staged
from loader.core.warehouse import Row, Session, Warehouse
from loader.ledger import loads as ledger
from loader.ledger import notes
from loader.ledger.tables import SCHEMA
from loader.load import retention
from loader.load.edges import Edges, connected, open_edges
from loader.load.leasing import Lease, leased_to
from loader.load.listing import Listing, pending
from loader.load.merging import Merge, billed, merge_tables, merge_threads
from loader.load.migrating import known_tables, migrated
from loader.load.retrying import retried
from loader.load.runs import Manifest, Run, has_parts, stored_manifest

Choose = Callable[[Session], Sequence[Arrival]]


def load(config: Config, source: str, *, window: Window, replay: bool, progress: Progress) -> list[LoadResult]:
    """Load a source's new files, or with `replay` all files of the window again; return what each load did.

    Loads that an earlier run left unfinished come first. Called twice, the second call finds nothing to do: a replay
    finds every row there already. LeaseError and WarehouseLockedError name who is in the way.
    """
    edges = open_edges(config, source)

    def choose(session: Session) -> Sequence[Arrival]:
        listing = pending(edges, session, window, replay=replay)
        _tell_strays(source, listing, progress)
        return listing.arrivals

    return loaded(edges, choose, kind="replay" if replay else "load", progress=progress)


def loaded(edges: Edges, choose: Choose, *, kind: str, progress: Progress) -> list[LoadResult]:
    """Finish the loads that are open, then load the files that `choose` returns; return what each load did."""

    def begin(_: Warehouse, session: Session, lease: Lease) -> list[Run]:
        claim = partial(Run, edges, lease, progress)
        runs = [*_unfinished(session, edges, claim), *claimed(session, edges, claim, choose(session), kind)]
        if not runs:
            lease.give_back(session)
        return runs

    blocked: set[str] = set()  # tables that a load could not merge: later loads must not overtake it
    with leased_to(edges, progress, begin) as (_, runs):
        results = [merged(run, shredded_before(run), blocked) for run in runs]
    retention.expire(edges, progress, now=datetime.now(UTC))
    return results


def shredded_before(run: Run) -> Manifest:
    """Return a load's manifest; shreds its files first, unless that was done and the tables still take the parts."""
    from loader.load.shredding import shredded  # with all of Arrow: a run that finds nothing to do goes without it

    with connected(run.edges.config, staging=run.edges.staging) as opened:
        known = retried(partial(known_tables, opened, run.edges.settings.schema))
        manifest = stored_manifest(run)
        outdated = manifest is not None and retried(partial(_outdated, run, manifest, opened))
    if manifest is not None and not has_parts(run, manifest):
        run.progress.note(f"{run.edges.source}: parts of load {run.load.load_id} are gone; its files are read again")
    elif outdated:
        run.progress.note(f"{run.edges.source}: the settings changed since the files of {run.load.load_id} were read")
    elif manifest is not None and fits(
        known, manifest.tables, max_columns=run.edges.policy.max_columns, respells=run.edges.policy.respells
    ):
        return manifest
    return shredded(run, known, manifest)


def _outdated(run: Run, manifest: Manifest, opened: Warehouse) -> bool:
    """Return whether a manifest says what other settings made of the files, and none of it is in a table yet.

    Where some of it is, the load ends as it began: its sums are those of the manifest. So does a reload, always.
    """
    if run.kind == "reload" or manifest.policy in ("", digest(run.edges.policy)):
        return False
    with opened.session() as session:
        return not ledger.merged_tables(session, run.load.load_id, run.edges.settings.schema)


def merged(run: Run, manifest: Manifest, blocked: set[str]) -> LoadResult:
    """Bring a load whose files are shredded to done, or as far as its tables allow; these are added to `blocked`."""
    threads, over = merge_threads(run.edges.workers, manifest.tables), Event()
    with connected(run.edges.config, staging=run.edges.staging, threads=threads, over=over.is_set) as opened:
        made, tables = retried(partial(migrated, run, manifest, opened))
        results = _merged(run, manifest, opened, tables, blocked, over)
        blocked |= {each.table for each in results if each.error}
        conserved = retried(
            partial(_finished, run, manifest, opened, results),
            again=partial(_finished_again, run, manifest, opened, results),
        )
        if conserved is not None:
            retried(partial(opened.clear, run.load.load_id))
    if conserved is not None:
        _cleared(run)
    return _result(run, manifest, results, made, conserved=conserved)


def _unfinished(session: Session, edges: Edges, run: Callable[..., Run]) -> list[Run]:
    """Return the loads that an earlier run left in the middle, oldest first."""
    found = ledger.open_loads(session, edges.source)
    runs = [run(ledger.claimed(session, each.load_id), each.kind, True, time.monotonic()) for each in found]
    for each, one in zip(found, runs, strict=True):
        one.progress.note(f"{edges.source}: load {each.load_id} continues from state {each.state}")
    return runs


def claimed(
    session: Session, edges: Edges, run: Callable[..., Run], arrivals: Sequence[Arrival], kind: str
) -> list[Run]:
    """Claim files; return a load for each bounded share of them."""
    attempt = ledger.attempts(session, edges.source, [each.file.key for each in arrivals])
    # Projects with warehouses of their own may share a staging folder, the names of sources and the files.
    name = f"{edges.source} {edges.config.warehouse!r}"
    planned = list(loads(name, arrivals, max_bytes=edges.config.load.max_load_bytes, attempt=attempt))
    for each in planned:
        ledger.claim(session, edges.source, each, kind=kind, now=datetime.now(UTC))
    return [run(each, kind, False, time.monotonic()) for each in planned]


def _tell_strays(source: str, listing: Listing, progress: Progress) -> None:
    if listing.strays:
        progress.note(
            f"{source}: {listing.strays} files do not follow the layout and are not loaded, "
            f"for example {listing.stray!r}; correct `layout`, or move them"
        )


def _merged(
    run: Run, manifest: Manifest, opened: Warehouse, tables: Tables, blocked: set[str], over: Event
) -> list[TableResult]:
    """Merge every table that is not merged yet; return what happened to each."""
    schema = run.edges.settings.schema
    done = retried(partial(_merged_before, run, opened))
    before = [TableResult(f"{schema}.{table}", *each) for table, each in done.items()]
    waiting = {name: each for name, each in manifest.tables.items() if each.parts and name not in done}
    held = [name for name in waiting if f"{schema}.{name}" in blocked]
    free = [(name, each) for name, each in waiting.items() if name not in held]
    run.progress.step(f"{run.edges.source}: merging {len(free)} tables", total=len(free), unit="tables")
    plan = Merge(run.load.load_id, schema, tables, manifest.tables, run.edges.policy.dedupe_window, over)
    merged = merge_tables(opened, plan, free, lease=run.lease, threads=run.edges.workers, progress=run.progress)
    why = "waits for an earlier load, which could not merge this table"
    return [*before, *merged, *(TableResult(f"{schema}.{name}", 0, 0, 0.0, why) for name in held)]


def _merged_before(run: Run, opened: Warehouse) -> dict[str, Row]:
    """Put the load into state loading; return what it merged before."""
    with opened.session() as session:
        ledger.move(session, run.load.load_id, "loading")
        return ledger.merged_tables(session, run.load.load_id, run.edges.settings.schema)


def _finished_again(run: Run, manifest: Manifest, opened: Warehouse, merged: list[TableResult]) -> bool | None:
    """Do as `_finished` does, unless an earlier try did it after all, and only its answer was lost."""
    with opened.session() as session:
        if ledger.state_of(session, run.load.load_id) == "done":
            return ledger.conserved(session, run.load.load_id)
    return _finished(run, manifest, opened, merged)


def _finished(run: Run, manifest: Manifest, opened: Warehouse, merged: list[TableResult]) -> bool | None:
    """Write rejects, quarantine, files and sums, and the state done; return whether every event is accounted for.

    None if a table failed: the load stays open, and the next run tries that table again.
    """
    edges, load = run.edges, run.load
    failed, costs = [each for each in merged if each.error], billed(opened, merged)
    with ExitStack() as stack:
        staged = [] if failed else [(each, stack.enter_context(opened.staged(each))) for each in _notes(run, manifest)]
        session = stack.enter_context(opened.session())
        run.lease.check(session)
        ledger.note_costs(session, load.load_id, costs)
        if failed:
            ledger.move(session, load.load_id, "loading", error=f"{failed[0].table}: {failed[0].error}")
            return None
        now = datetime.now(UTC)
        notes.resolve(session, edges.source, load, now, frozen=edges.policy.evolve == "freeze")
        rejects = _set_aside(session, run, manifest, staged)
        notes.note_bad_files(session, edges.source, load, manifest.bad_files, now)
        ledger.settle_files(session, load.load_id, manifest.counts, manifest.bad_files)
        return ledger.finish(session, load.load_id, manifest.total, rejects=rejects, primary=_primary(run, merged))


def _notes(run: Run, manifest: Manifest) -> list[Delivery]:
    """Return the parts with rejects, apart by the tables whose rejects in them are void, and those with the quarantine.

    One for each: a warehouse that loads parts pays for every load.
    """
    voided: dict[tuple[str, ...], list[str]] = {}
    for key, tables in manifest.rejects:
        voided.setdefault(tuple(tables), []).append(key)
    made = [("rejects", keys) for keys in voided.values()]
    made += [("quarantine", manifest.quarantine)] if manifest.quarantine else []
    return [
        Delivery(run.load.load_id, SCHEMA, table, [Part(key, 0, 0, {}) for key in keys], NOTES[table], {}, number)
        for number, (table, keys) in enumerate(made)
    ]


def _set_aside(
    session: Session, run: Run, manifest: Manifest, staged: Sequence[tuple[Delivery, Sequence[Staged]]]
) -> int:
    """Write the rejects and the quarantine from staged parts; return how many rejects."""
    load, source, schema = run.load.load_id, run.edges.source, run.edges.settings.schema
    void, rejects = dict(manifest.rejects), 0
    for delivery, groups in staged:
        for each in groups:
            if delivery.table == "rejects":
                rejects += notes.note_rejects(session, load, source, schema, each, void[delivery.parts[0].key])
            else:
                notes.note_quarantine(session, load, source, each)
    return rejects


def _primary(run: Run, merged: list[TableResult]) -> tuple[int, int]:
    """Return rows and duplicates of the tables that hold each event once: all but `tracks`."""
    tracks = f"{run.edges.settings.schema}.{TRACKS}"
    chosen = [each for each in merged if each.table != tracks]
    return sum(each.rows for each in chosen), sum(each.duplicates for each in chosen)


def _cleared(run: Run) -> None:
    """Delete the load's parts, unless they are kept as a lake. What a crash leaves, `retention` deletes."""
    staging = run.edges.staging
    if run.edges.config.staging.keep_days == 0:
        staging.delete([file.key for file in staging.list(run.prefix)])


def _result(
    run: Run, manifest: Manifest, merged: list[TableResult], made: tuple[str, ...], *, conserved: bool | None
) -> LoadResult:
    counts, (rows, duplicates) = manifest.total, _primary(run, merged)
    files = run.load.arrivals
    state: State = "loading" if conserved is None else "done"
    bad = [f"{files[each.file].file.key}: {each.reason}: {each.message}" for each in manifest.bad_files]
    return LoadResult(
        run.load.load_id,
        run.edges.source,
        state,
        run.resumed,
        run.kind == "replay",
        len(files),
        run.load.stored_bytes,
        counts.lines,
        counts.events,
        rows,
        duplicates,
        counts.filtered,
        counts.quarantined,
        counts.rejects,
        counts.discarded_values,
        bool(conserved),
        time.monotonic() - run.began,
        tuple(sorted(merged, key=lambda each: (-each.rows, each.table))),
        made,
        tuple(bad) + tuple(f"{each.table}: {each.error}" for each in merged if each.error),
    )
